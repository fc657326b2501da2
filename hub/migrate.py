"""Brings the database to the newest schema: one Alembic history for the tables of all packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

import certs.tables
import grader.tables
import hub.api.tables
import hub.compute.gpu.tables
import hub.compute.tables
import hub.footage.tables
import hub.people.tables
import hub.reclaim.tables
import hub.takes.tables
from hub import db

if TYPE_CHECKING:
    from sqlalchemy import MetaData

VERSION_TABLE = "reelwright_version"
"""Not Alembic's default: on PostgreSQL, JupyterHub keeps its own history in the same database under that name."""


def metadata() -> list[MetaData]:
    """Every table of every package."""
    return [
        hub.people.tables.metadata,
        hub.compute.tables.metadata,
        hub.compute.gpu.tables.metadata,
        hub.api.tables.metadata,
        hub.footage.tables.metadata,
        hub.reclaim.tables.metadata,
        hub.takes.tables.metadata,
        grader.tables.metadata,
        certs.tables.metadata,
    ]


def alembic_config(url: str) -> AlembicConfig:
    """Alembic's configuration for ``url``, without an ini file."""
    config = AlembicConfig()
    config.set_main_option("script_location", "hub:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = url
    return config


def upgrade(url: str) -> str:
    """Upgrade to the newest schema; returns the words for the operator."""
    before = current(url)
    config = alembic_config(url)
    newest = ScriptDirectory.from_config(config).get_current_head()
    if before == newest:
        return f"at schema {newest}"
    command.upgrade(config, "head")
    return f"upgraded from {before or 'nothing'} to schema {newest}"


def current(url: str) -> str | None:
    """The schema revision the database is at; None when it is empty."""
    engine = db.open_engine(url)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
            return context.get_current_revision()
    finally:
        engine.dispose()
