"""The ledger's tables. ``hub_event`` is the truth; every table below the line is derived from it and can be rebuilt."""

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
    Text,
    UniqueConstraint,
    Uuid,
)

metadata = MetaData()

_NAME = 255
_DIGEST = 64

event = Table(
    "hub_event",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("kind", String(32), nullable=False),
    Column("subject", String(_DIGEST), nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("previous", String(_DIGEST), nullable=False),
    Column("digest", String(_DIGEST), nullable=False),
    UniqueConstraint("subject", "kind", name="uq_hub_event_subject_kind"),
)
"""Append-only. ``subject`` is the lease, or what else may happen once: a grant, a policy version."""

chain_head = Table(
    "hub_chain_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("entries", BigInteger, nullable=False),
    Column("digest", String(_DIGEST), nullable=False),
)
"""One row: how long the chain is and where it ends, so that a cut tail is noticed."""

checkpoint = Table(
    "hub_checkpoint",
    metadata,
    Column("day", String(_DIGEST), primary_key=True),
    Column("entries", BigInteger, nullable=False),
    Column("digest", String(_DIGEST), nullable=False),
    Column("signed_us", BigInteger, nullable=False),
    Column("key_id", String(_DIGEST), nullable=False),
    Column("signature", String(128), nullable=False),
)
"""``day`` is a calendar day, or ``claim-`` and the id of the claim that was frozen with it."""

heartbeat = Table(
    "hub_heartbeat",
    metadata,
    Column("lease", Uuid, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("source", String(_NAME), nullable=False),
)
"""The last sign of life of a running lab. Not in the chain: it only bounds the error when everything else died."""

# ---- derived -------------------------------------------------------------------------------------------------------

grant = Table(
    "hub_grant",
    metadata,
    Column("subject", String(_DIGEST), primary_key=True),
    Column("learner", String(_NAME), nullable=False),
    Column("course", String(_NAME), nullable=False),
    Column("micro_yuan", BigInteger, nullable=False),
    Column("why", String(_NAME), nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Index("ix_hub_grant_account", "learner", "course"),
)

lease = Table(
    "hub_lease",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("learner", String(_NAME), nullable=False),
    Column("course", String(_NAME), nullable=False),
    Column("lab", String(_NAME), nullable=False),
    Column("cohort", String(_NAME), nullable=False),
    Column("site", String(_NAME), nullable=False),
    Column("profile", String(_NAME), nullable=False),
    Column("longest_us", BigInteger, nullable=False),
    Column("requested_us", BigInteger, nullable=False),
    Column("policy", String(_DIGEST), nullable=False),
    Column("state", String(8), nullable=False),
    Column("held_uy", BigInteger, nullable=False),
    Column("started_us", BigInteger),
    Column("ended_us", BigInteger),
    Column("uncertainty_us", BigInteger, nullable=False),
    Column("billed_us", BigInteger, nullable=False),
    Column("gpu_us", BigInteger, nullable=False),
    Column("charge_uy", BigInteger, nullable=False),
    Column("subsidised_uy", BigInteger, nullable=False),
    Column("subsidised_us", BigInteger, nullable=False),
    Column("subsidised_gpu_us", BigInteger, nullable=False),
    Column("flags", String(_NAME), nullable=False),
    Column("spared", Text, nullable=False),
    Column("spared_uy", BigInteger, nullable=False),
    Column("full_uy", BigInteger, nullable=False),
    Column("budgets", Text, nullable=False),
    Index("ix_hub_lease_account", "learner", "course", "requested_us"),
    Index("ix_hub_lease_state", "state"),
)

charge_line = Table(
    "hub_charge_line",
    metadata,
    Column("lease", Uuid, primary_key=True),
    Column("segment", Integer, primary_key=True, autoincrement=False),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("learner", String(_NAME), nullable=False),
    Column("course", String(_NAME), nullable=False),
    Column("lab", String(_NAME), nullable=False),
    Column("cohort", String(_NAME), nullable=False),
    Column("site", String(_NAME), nullable=False),
    Column("profile", String(_NAME), nullable=False),
    Column("day", String(10), nullable=False),
    Column("from_us", BigInteger, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    Column("tariff", String(_NAME), nullable=False),
    Column("programme", String(_NAME), nullable=False),
    Column("payer", String(_NAME), nullable=False),
    Column("amount_uy", BigInteger, nullable=False),
    Column("sessions", Integer, nullable=False),
    Column("billed_us", BigInteger, nullable=False),
    Column("gpu_us", BigInteger, nullable=False),
    Column("total_uy", BigInteger, nullable=False),
    Column("estimated", Boolean, nullable=False),
    Index("ix_hub_charge_line_day", "day"),
    Index("ix_hub_charge_line_account", "learner", "course"),
    Index(
        "ix_hub_charge_line_learner",
        *("learner", "programme", "payer", "site", "day"),
        *("amount_uy", "sessions", "billed_us", "gpu_us", "total_uy", "estimated"),
    ),
)
"""Who pays what of each stretch of a session. The last four measures stand on the first line of a programme in a
stretch and are zero on its other lines, so that any grouping of lines sums to the truth. The last index holds all
that a report by learner, programme and site reads, in the order of its sums; wider rows would not fit PostgreSQL."""

usage_place = Table(
    "hub_usage_place",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("course", String(_NAME), nullable=False),
    Column("lab", String(_NAME), nullable=False),
    Column("cohort", String(_NAME), nullable=False),
    Column("site", String(_NAME), nullable=False),
    Column("profile", String(_NAME), nullable=False),
    Index("ix_hub_usage_place_names", "cohort", "lab"),
    sqlite_with_rowid=False,
)
"""Where sessions were, each combination once; ``id`` is made from the names (:func:`hub.compute.rollup.place_id`)."""

usage = Table(
    "hub_usage",
    metadata,
    Column("grain", String(5), primary_key=True),
    Column("period", String(10), primary_key=True),
    Column("programme", String(_NAME), primary_key=True),
    Column("payer", String(_NAME), primary_key=True),
    Column("place", BigInteger, primary_key=True),
    Column("lines", BigInteger, nullable=False),
    Column("amount_uy", BigInteger, nullable=False),
    Column("sessions", BigInteger, nullable=False),
    Column("estimated_sessions", BigInteger, nullable=False),
    Column("billed_us", BigInteger, nullable=False),
    Column("gpu_us", BigInteger, nullable=False),
    Column("total_uy", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Charge lines summed by day, and again by month (``grain``): what reports read."""

usage_learner = Table(
    "hub_usage_learner",
    metadata,
    Column("grain", String(5), primary_key=True),
    Column("period", String(10), primary_key=True),
    Column("programme", String(_NAME), primary_key=True),
    Column("place", BigInteger, primary_key=True),
    Column("learner", String(_NAME), primary_key=True),
    Column("lines", BigInteger, nullable=False),
    Column("amount_uy", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Who stands behind the sums of a day and of a month, and what their lines come to: what suppression goes by."""

gpu_usage = Table(
    "hub_gpu_usage",
    metadata,
    Column("month", String(7), primary_key=True),
    Column("place", BigInteger, primary_key=True),
    Column("learner", String(_NAME), primary_key=True),
    Column("busy_sum", BigInteger, nullable=False),
    Column("rated", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""GPU evidence summed by the month in which the session began, where it was, and whose it was."""

subsidy_use = Table(
    "hub_subsidy_use",
    metadata,
    Column("programme", String(_NAME), primary_key=True),
    Column("year", Integer, primary_key=True, autoincrement=False),
    Column("scope", String(8), primary_key=True),
    Column("who", String(_NAME), primary_key=True),
    Column("used_uy", BigInteger, nullable=False),
)
"""What a programme has paid in a calendar year for a learner, a site, and in all: what its caps are held against."""

budget = Table(
    "hub_budget",
    metadata,
    Column("scope", String(8), primary_key=True),
    Column("who", String(_NAME), primary_key=True),
    Column("allotted_uy", BigInteger, nullable=False),
    Column("held_uy", BigInteger, nullable=False),
    Column("spent_uy", BigInteger, nullable=False),
)
"""What sites and classes may spend, at list price; who has no row is not limited by one."""

voucher = Table(
    "hub_voucher",
    metadata,
    Column("subject", String(_DIGEST), primary_key=True),
    Column("course", String(_NAME), nullable=False),
    Column("micro_yuan", BigInteger, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    Column("why", String(_NAME), nullable=False),
    Column("by", String(_NAME), nullable=False),
    Column("learner", String(_NAME)),
    Column("redeemed_us", BigInteger),
)
"""Codes that may be, or were, turned into allowance; the code itself is nowhere, ``subject`` is its digest."""

class_window = Table(
    "hub_class_window",
    metadata,
    Column("subject", String(_DIGEST), primary_key=True),
    Column("course", String(_NAME), nullable=False),
    Column("cohort", String(_NAME), nullable=False),
    Column("from_us", BigInteger, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    Column("by", String(_NAME), nullable=False),
    Index("ix_hub_class_window_cohort", "course", "cohort", "from_us"),
)
"""Scheduled classes that were not cancelled."""

observation = Table(
    "hub_observation",
    metadata,
    Column("subject", String(_DIGEST), primary_key=True),
    Column("lease", Uuid, nullable=False),
    Column("source", String(_NAME), nullable=False),
    Column("started_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger, nullable=False),
    Index("ix_hub_observation_lease", "lease"),
)
"""What second witnesses saw; its lease may be one that was never opened."""

gpu_evidence = Table(
    "hub_gpu_evidence",
    metadata,
    Column("lease", Uuid, primary_key=True),
    Column("source", String(_NAME), nullable=False),
    Column("slice", String(_NAME), nullable=False),
    Column("minutes", BigInteger, nullable=False),
    Column("samples", BigInteger, nullable=False),
    Column("rated", BigInteger, nullable=False),
    Column("busy_sum", BigInteger, nullable=False),
    Column("memory_mb", BigInteger, nullable=False),
    Column("sha256", String(_DIGEST), nullable=False),
)
"""How busy the GPU of an ended session was, rolled up, with the digest of its minutes (``hub_gpu_minute``)."""

claim = Table(
    "hub_claim",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("programme", String(_NAME), nullable=False),
    Column("payer", String(_NAME), nullable=False),
    Column("from_day", String(10), nullable=False),
    Column("until_day", String(10), nullable=False),
    Column("lines", BigInteger, nullable=False),
    Column("due_uy", BigInteger, nullable=False),
)
"""What was asked of one payer; ``seq`` is the entry that froze it and says all the rest."""

claim_line = Table(
    "hub_claim_line",
    metadata,
    Column("lease", Uuid, primary_key=True),
    Column("segment", Integer, primary_key=True, autoincrement=False),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("claim", Uuid, nullable=False),
    Index("ix_hub_claim_line_claim", "claim"),
)
"""Which claim a charge line stands in. A charge line has one payer, so its key is what can be claimed once."""

claim_person = Table(
    "hub_claim_person",
    metadata,
    Column("programme", String(_NAME), primary_key=True),
    Column("learner", String(_NAME), primary_key=True),
    Column("number", Integer, nullable=False),
    UniqueConstraint("programme", "number", name="uq_hub_claim_person_number"),
)
"""Under which number a learner stands in a programme's evidence packs; the same number in all of them."""

claim_note = Table(
    "hub_claim_note",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("claim", Uuid, nullable=False),
    Column("what", String(16), nullable=False),
    Column("amount_uy", BigInteger, nullable=False),
    Column("carried_by", Uuid),
    Index("ix_hub_claim_note_claim", "claim"),
)
"""Queries, answers and corrections after a claim was frozen; ``carried_by`` is the claim that took a correction in."""

DERIVED = (
    grant,
    lease,
    charge_line,
    usage_place,
    usage,
    usage_learner,
    gpu_usage,
    subsidy_use,
    budget,
    voucher,
    class_window,
    observation,
    gpu_evidence,
    claim,
    claim_line,
    claim_person,
    claim_note,
)
