"""The tables of certs: prefix ``certs_``, own MetaData, no foreign key to another package."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

certificate = Table(
    "certs_certificate",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("holder_ref", String(255), nullable=False),
    Column("course", String(63), nullable=False),
    Column("state", String(16), nullable=False),
    Column("claim", Text, nullable=False),
    Column("status_list", Integer, nullable=False),
    Column("status_index", Integer, nullable=False),
    Column("requested_us", BigInteger, nullable=False),
    Column("issued_us", BigInteger),
    Column("document", LargeBinary),
    Column("document_sha256", String(64)),
    Column("refused_reason", Text),
    Column("revoked_us", BigInteger),
    Column("revoked_reason", Text),
    UniqueConstraint("holder_ref", "course"),
    UniqueConstraint("status_list", "status_index"),
    CheckConstraint("state IN ('pending', 'issued', 'refused')", name="state"),
    CheckConstraint("(state = 'issued') = (document IS NOT NULL)", name="issued_has_document"),
    Index(None, "state"),
)

# The printed forms lie apart: a page view reads the certificate's row and never drags a PDF through memory.
form = Table(
    "certs_form",
    metadata,
    Column("certificate_id", String(32), ForeignKey("certs_certificate.id"), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("sha256", String(64), nullable=False),
)

status_list = Table(
    "certs_status_list",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("document", LargeBinary, nullable=False),
    Column("signed_us", BigInteger, nullable=False),
    Column("set_count", Integer, nullable=False),
)

# Public halves only. A key that has been replaced stays: what it signed before still has to verify.
issuer_key = Table(
    "certs_issuer_key",
    metadata,
    Column("multibase", String(64), primary_key=True),
    Column("added_us", BigInteger, nullable=False),
    Column("retired_us", BigInteger),
    Column("bad_from_us", BigInteger),
)
