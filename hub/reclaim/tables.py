"""What is known of running labs beside the ledger: when they were last used, and the notice that was given."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, MetaData, String, Table, Uuid

metadata = MetaData()

lab_use = Table(
    "hub_lab_use",
    metadata,
    Column("lease", Uuid, primary_key=True),
    Column("told_us", BigInteger, nullable=False),
    Column("used_us", BigInteger, nullable=False),
    Column("given_us", BigInteger),
    Column("stops_us", BigInteger),
    Column("why", String(8)),
)
"""``told_us`` is when the lab last told of itself (0: never); the last three are the notice, where one stands."""
