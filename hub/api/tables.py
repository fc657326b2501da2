"""The table of API tokens."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, MetaData, String, Table, Text, UniqueConstraint, Uuid

metadata = MetaData()

api_token = Table(
    "hub_api_token",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", String(255), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("created_by", String(255), nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("revoked_us", BigInteger),
    Column("last_used_us", BigInteger),
    UniqueConstraint("digest", name="uq_hub_api_token_digest"),
)
"""Who may read what through the API; ``digest`` is SHA-256 of the token, which is shown once and never kept."""
