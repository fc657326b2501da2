"""Charge lines rolled up by day and month, which reports read; filled from the lines that are there."""

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

PLACE = "course, lab, cohort, site, profile"
MEASURES = (
    "sum(lines), sum(amount_uy), sum(sessions), sum(estimated_sessions), sum(billed_us), sum(gpu_us), sum(total_uy)"
)
USAGE = f"""
INSERT INTO hub_usage
SELECT 'day', :day, made.programme, made.payer, place.id, made.lines, made.amount_uy, made.sessions,
  made.estimated_sessions, made.billed_us, made.gpu_us, made.total_uy
FROM (
  SELECT programme, payer, {PLACE}, count(*) AS lines, sum(amount_uy) AS amount_uy, sum(sessions) AS sessions,
    sum(CASE WHEN estimated THEN sessions ELSE 0 END) AS estimated_sessions, sum(billed_us) AS billed_us,
    sum(gpu_us) AS gpu_us, sum(total_uy) AS total_uy
  FROM hub_charge_line WHERE day = :day GROUP BY programme, payer, {PLACE}
) AS made JOIN hub_usage_place AS place USING ({PLACE})
"""
LEARNERS = f"""
INSERT INTO hub_usage_learner
SELECT 'day', :day, made.programme, place.id, made.learner, made.lines, made.amount_uy
FROM (
  SELECT programme, learner, {PLACE}, count(*) AS lines, sum(amount_uy) AS amount_uy
  FROM hub_charge_line WHERE day = :day GROUP BY programme, learner, {PLACE}
) AS made JOIN hub_usage_place AS place USING ({PLACE})
"""
USAGE_MONTHS = f"""
INSERT INTO hub_usage SELECT 'month', substr(period, 1, 7), programme, payer, place, {MEASURES}
FROM hub_usage GROUP BY substr(period, 1, 7), programme, payer, place
"""
LEARNER_MONTHS = """
INSERT INTO hub_usage_learner
SELECT 'month', substr(period, 1, 7), programme, place, learner, sum(lines), sum(amount_uy)
FROM hub_usage_learner GROUP BY substr(period, 1, 7), programme, place, learner
"""
GPU = f"""
INSERT INTO hub_gpu_usage
SELECT substr(line.day, 1, 7), place.id, line.learner, sum(used.busy_sum), sum(used.rated)
FROM hub_gpu_evidence AS used
JOIN hub_charge_line AS line ON line.lease = used.lease AND line.segment = 0 AND line.line = 0
JOIN hub_usage_place AS place USING ({PLACE})
WHERE used.rated > 0 GROUP BY substr(line.day, 1, 7), place.id, line.learner
"""


def upgrade() -> None:
    create()
    connection = op.get_bind()
    found = connection.execute(sa.text(f"SELECT DISTINCT {PLACE} FROM hub_charge_line")).all()
    for names in found:
        row = {"id": place_id(names), **names._asdict()}
        connection.execute(
            sa.text(f"INSERT INTO hub_usage_place (id, {PLACE}) VALUES (:id, :course, :lab, :cohort, :site, :profile)"),
            row,
        )
    days = connection.execute(sa.text("SELECT DISTINCT day FROM hub_charge_line ORDER BY day")).scalars().all()
    for day in days:
        connection.execute(sa.text(USAGE), {"day": day})
        connection.execute(sa.text(LEARNERS), {"day": day})
    for statement in (USAGE_MONTHS, LEARNER_MONTHS, GPU):
        connection.execute(sa.text(statement))


def place_id(names: "sa.Row[tuple[str, ...]]") -> int:
    said = json.dumps(list(names), separators=(",", ":"), ensure_ascii=False)
    return int.from_bytes(hashlib.sha256(said.encode()).digest()[:8], "big") >> 1


def create() -> None:
    op.create_table(
        "hub_usage_place",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("course", sa.String(length=255), nullable=False),
        sa.Column("lab", sa.String(length=255), nullable=False),
        sa.Column("cohort", sa.String(length=255), nullable=False),
        sa.Column("site", sa.String(length=255), nullable=False),
        sa.Column("profile", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hub_usage_place")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_hub_usage_place_names", "hub_usage_place", ["cohort", "lab"])
    op.create_table(
        "hub_usage",
        sa.Column("grain", sa.String(length=5), nullable=False),
        sa.Column("period", sa.String(length=10), nullable=False),
        sa.Column("programme", sa.String(length=255), nullable=False),
        sa.Column("payer", sa.String(length=255), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column("amount_uy", sa.BigInteger(), nullable=False),
        sa.Column("sessions", sa.BigInteger(), nullable=False),
        sa.Column("estimated_sessions", sa.BigInteger(), nullable=False),
        sa.Column("billed_us", sa.BigInteger(), nullable=False),
        sa.Column("gpu_us", sa.BigInteger(), nullable=False),
        sa.Column("total_uy", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("grain", "period", "programme", "payer", "place", name=op.f("pk_hub_usage")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "hub_usage_learner",
        sa.Column("grain", sa.String(length=5), nullable=False),
        sa.Column("period", sa.String(length=10), nullable=False),
        sa.Column("programme", sa.String(length=255), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("learner", sa.String(length=255), nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column("amount_uy", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("grain", "period", "programme", "place", "learner", name=op.f("pk_hub_usage_learner")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "hub_gpu_usage",
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("learner", sa.String(length=255), nullable=False),
        sa.Column("busy_sum", sa.BigInteger(), nullable=False),
        sa.Column("rated", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("month", "place", "learner", name=op.f("pk_hub_gpu_usage")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    for name in ("hub_gpu_usage", "hub_usage_learner", "hub_usage", "hub_usage_place"):
        op.drop_table(name)
