"""The GPU pool's tables. That a slice is never in two exclusive leases is the database's own rule: a primary key."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    Uuid,
    false,
)

metadata = MetaData()

_NAME = 255
_UUID = 100

gpu_slice = Table(
    "hub_gpu_slice",
    metadata,
    Column("uuid", String(_UUID), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("gpu_class", String(_NAME), nullable=False),
    Column("memory_mb", Integer, nullable=False),
    Column("parent", String(_UUID), nullable=False),
    Column("present", Boolean, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
)
"""What the driver or the configuration named. A slice that went away stays, not ``present``, and is given to nobody."""

gpu_hold = Table(
    "hub_gpu_hold",
    metadata,
    Column("slice", String(_UUID), primary_key=True),
    Column("seat", Integer, primary_key=True, autoincrement=False),
    Column("lease", Uuid, nullable=False),
    Column("learner", String(_NAME), nullable=False),
    Column("site", String(_NAME), nullable=False),
    Column("cohort", String(_NAME), nullable=False),
    Column("gpu_class", String(_NAME), nullable=False),
    Column("until_us", BigInteger, nullable=False),
    UniqueConstraint("lease", name="uq_hub_gpu_hold_lease"),
)
"""Who has which slice now. An exclusive class has seat 0 only."""

gpu_wait = Table(
    "hub_gpu_wait",
    metadata,
    Column("lease", Uuid, primary_key=True),
    Column("learner", String(_NAME), nullable=False),
    Column("site", String(_NAME), nullable=False),
    Column("cohort", String(_NAME), nullable=False),
    Column("gpu_class", String(_NAME), nullable=False),
    Column("longest_us", BigInteger, nullable=False),
    Column("requested_us", BigInteger, nullable=False),
    Column("used_us", BigInteger, nullable=False),
    Column("asked_us", BigInteger, nullable=False),
    Column("is_cancelled", Boolean, nullable=False),
    Index("ix_hub_gpu_wait_class", "gpu_class", "requested_us"),
)
"""Who waits. ``asked_us`` is when they last asked: whoever stopped asking has left. A
cancelled place stays until the start that waits on it has asked once more and learned of it."""

gpu_reservation = Table(
    "hub_gpu_reservation",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("gpu_class", String(_NAME), nullable=False),
    Column("cohort", String(_NAME), nullable=False),
    Column("seats", Integer, nullable=False),
    Column("from_us", BigInteger, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    Index("ix_hub_gpu_reservation_class", "gpu_class", "until_us"),
)

gpu_minute = Table(
    "hub_gpu_minute",
    metadata,
    Column("lease", Uuid, primary_key=True),
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    Column("slice", String(_UUID), nullable=False),
    Column("samples", Integer, nullable=False),
    Column("rated", Integer, nullable=False),
    Column("busy_sum", Integer, nullable=False),
    Column("memory_mb", Integer, nullable=False),
    Column("processes", Integer, nullable=False),
    Column("rolled_up", Boolean, nullable=False, server_default=false()),
    Index("ix_hub_gpu_minute_minute", "minute"),
)
"""How busy a lease's slice was, by the minute since the epoch, as the host's driver says it. When the session has ended
its digest goes into the ledger's chain (``rolled_up``)."""
