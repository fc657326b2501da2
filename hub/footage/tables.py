"""The table of film seconds."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, MetaData, String, Table

metadata = MetaData()

footage = Table(
    "hub_footage",
    metadata,
    Column("course", String(255), primary_key=True),
    Column("lab", String(255), primary_key=True),
    Column("learner", String(255), primary_key=True),
    Column("submission", String(36), nullable=False),
    Column("graded_us", BigInteger, nullable=False),
    Column("film_us", BigInteger, nullable=False),
    Index("ix_hub_footage_graded", "graded_us"),
)
"""How much film the attempt that counts left behind when the grader ran it."""
