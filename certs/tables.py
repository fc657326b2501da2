"""The tables of certs: prefix ``certs_``, own MetaData, no foreign key to another package."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
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
    # The course, or the programme when the certificate is over several courses.
    Column("course", String(63), nullable=False),
    Column("kind", String(16), nullable=False),
    # 1, then one more with every re-issue; the newest is the one that counts.
    Column("edition", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("claim", Text, nullable=False),
    Column("status_list", Integer, nullable=False),
    Column("status_index", Integer, nullable=False),
    Column("requested_us", BigInteger, nullable=False),
    Column("issued_us", BigInteger),
    Column("document", LargeBinary),
    Column("document_sha256", String(64)),
    # Which key signed it, and the digest of the proof: what a log of issue lists when that key has to be given up.
    Column("signed_with", String(64)),
    Column("proof_sha256", String(64)),
    Column("refused_reason", Text),
    Column("revoked_us", BigInteger),
    Column("revoked_reason", Text),
    Column("supersedes", String(32)),
    Column("superseded_us", BigInteger),
    Column("superseded_by", String(32)),
    # Revoked or superseded, whichever was first: from then on its bit is set on the status list.
    Column("withdrawn_us", BigInteger),
    Column("paused_us", BigInteger),
    UniqueConstraint("holder_ref", "course", "edition"),
    UniqueConstraint("status_list", "status_index"),
    CheckConstraint("state IN ('pending', 'issued', 'refused', 'erased')", name="state"),
    CheckConstraint("kind IN ('course', 'programme')", name="kind"),
    CheckConstraint("(state = 'issued') = (document IS NOT NULL)", name="issued_has_document"),
    Index(None, "course"),
    Index(None, "state"),
    Index(None, "supersedes"),
    Index(None, "withdrawn_us"),
)

# The printed forms lie apart: a page view reads the certificate's row and never drags a PDF through memory.
form = Table(
    "certs_form",
    metadata,
    Column("certificate_id", String(32), ForeignKey("certs_certificate.id"), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("sha256", String(64), nullable=False),
    # A file that somebody brings is looked up by its digest: what was printed here once stays known for ever.
    Index(None, "sha256"),
)

# An address the holder gave out that shows less than the whole certificate.
share = Table(
    "certs_share",
    metadata,
    Column("token", String(32), primary_key=True),
    Column("certificate_id", String(32), ForeignKey("certs_certificate.id"), nullable=False),
    Column("hide_name", Boolean, nullable=False),
    Column("hide_score", Boolean, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger),
    Index(None, "certificate_id"),
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

# What a compromised key had signed before it was: a statement signed by the key that came after it.
issue_log = Table(
    "certs_issue_log",
    metadata,
    Column("multibase", String(64), primary_key=True),
    Column("document", LargeBinary, nullable=False),
    Column("bad_from_us", BigInteger, nullable=False),
    Column("signed_us", BigInteger, nullable=False),
    Column("signed_with", String(64), nullable=False),
)
