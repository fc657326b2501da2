"""The one Alembic history of every package's tables."""
