"""The queue of take servers: what was asked for, and how far it is."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, String, Table, Text, Uuid

metadata = MetaData()

_NAME = 255

take_job = Table(
    "hub_take_job",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("learner", String(_NAME), nullable=False),
    Column("course", String(_NAME), nullable=False),
    Column("lab", String(_NAME), nullable=False),
    Column("cohort", String(_NAME), nullable=False),
    Column("site", String(_NAME), nullable=False),
    Column("profile", String(_NAME), nullable=False),
    Column("prompt", Text, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("frames", Integer, nullable=False),
    Column("fps", Integer, nullable=False),
    Column("steps", Integer, nullable=False),
    Column("guidance", Float, nullable=False),
    Column("asked_us", BigInteger, nullable=False),
    Column("longest_us", BigInteger, nullable=False),
    Column("state", String(9), nullable=False),
    Column("fence", Integer, nullable=False),
    Column("lease", Uuid),
    Column("step", Integer, nullable=False),
    Column("beat_us", BigInteger, nullable=False),
    Column("used_us", BigInteger, nullable=False),
    Column("why_zh", Text, nullable=False),
    Column("why_en", Text, nullable=False),
    Column("record", Text, nullable=False),
    Index("ix_hub_take_job_state", "state", "profile"),
    Index("ix_hub_take_job_learner", "learner", "asked_us"),
)
"""``fence`` counts the servers that took it up: one that lost it can no longer write. ``beat_us`` is the last sign of
life of the one that has it, ``used_us`` what it took of a server, ``record`` the provenance as JSON once it is done."""
