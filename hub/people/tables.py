"""Declares the tables of people: who may sign in, who belongs to which cohort, and which one-time codes are open."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Date, ForeignKey, Index, MetaData, String, Table, UniqueConstraint

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

site = Table(
    "hub_site",
    metadata,
    Column("id", String(63), primary_key=True),
    Column("name_zh", String(200), nullable=False),
    Column("name_en", String(200), nullable=False),
    Column("timezone", String(64), nullable=False),
)

person = Table(
    "hub_person",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("full_name", String(100), nullable=False),
    Column("site", String(63), nullable=False),
    Column("locale", String(16), nullable=True),
    Column("created_us", BigInteger, nullable=False),
)

role = Table(
    "hub_role",
    metadata,
    Column("name", String(63), ForeignKey("hub_person.name"), primary_key=True),
    Column("role", String(16), primary_key=True),
    # "" is the whole site; only instructors are named for one course.
    Column("course", String(63), primary_key=True),
    Index(None, "course", "role"),
)

cohort = Table(
    "hub_cohort",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("course", String(63), nullable=False, index=True),
    Column("site", String(63), nullable=False),
    Column("title", String(100), nullable=False),
    Column("class_code", String(16), nullable=False, unique=True),
    Column("starts", Date, nullable=False),
    Column("ends", Date, nullable=False),
    Column("created_by", String(63), nullable=False, index=True),
    Column("created_us", BigInteger, nullable=False),
)

member = Table(
    "hub_member",
    metadata,
    Column("cohort_id", String(36), ForeignKey("hub_cohort.id"), primary_key=True),
    # number_key is the number in its comparing form; number is what the base wrote.
    Column("number_key", String(80), primary_key=True),
    Column("number", String(40), nullable=False),
    Column("full_name", String(100), nullable=False),
    Column("email", String(254), nullable=True),
    Column("learner", String(63), ForeignKey("hub_person.name"), nullable=True, index=True),
    Column("claimed_us", BigInteger, nullable=True),
    UniqueConstraint("cohort_id", "learner"),
)

# A trainee asks for another spelling of their name; who runs one of their classes decides.
name_request = Table(
    "hub_name_request",
    metadata,
    Column("learner", String(63), ForeignKey("hub_person.name"), primary_key=True),
    Column("asked_us", BigInteger, primary_key=True, autoincrement=False),
    Column("wanted", String(100), nullable=False),
    Column("decided_us", BigInteger, nullable=True),
    Column("decided_by", String(63), nullable=True),
    Column("granted", Boolean, nullable=True),
)

invitation = Table(
    "hub_invitation",
    metadata,
    Column("code_hash", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("course", String(63), nullable=False),
    Column("created_by", String(63), nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("used_by", String(63), nullable=True),
    Column("used_us", BigInteger, nullable=True),
)

extension = Table(
    "hub_extension",
    metadata,
    Column("cohort_id", String(36), ForeignKey("hub_cohort.id"), primary_key=True),
    Column("lab", String(63), primary_key=True),
    Column("learner", String(63), primary_key=True),
    Column("until_us", BigInteger, nullable=False),
)
