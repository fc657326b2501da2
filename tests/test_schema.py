"""The migrations make exactly the tables that the packages declare, up and down."""

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from hub import db, migrate


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'reelwright.db'}"


def tables(url: str) -> set[str]:
    engine = db.open_engine(url)
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def test_the_newest_schema_is_what_the_packages_declare(url: str) -> None:
    migrate.upgrade(url)
    engine = db.open_engine(url)
    with engine.connect() as connection:
        options = {"version_table": migrate.VERSION_TABLE, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        difference = [
            change
            for metadata in migrate.metadata()
            for change in compare_metadata(context, metadata)
            if not str(change[0]).startswith("remove")
        ]
    engine.dispose()
    assert difference == []
    declared = {table for metadata in migrate.metadata() for table in metadata.tables}
    assert tables(url) == declared | {migrate.VERSION_TABLE}


def test_every_migration_goes_up_and_down(url: str) -> None:
    config = migrate.alembic_config(url)
    for revision in reversed(list(ScriptDirectory.from_config(config).walk_revisions())):
        command.upgrade(config, revision.revision)
        command.downgrade(config, revision.down_revision or "base")
        command.upgrade(config, revision.revision)
    assert migrate.current(url) == ScriptDirectory.from_config(config).get_current_head()


def test_upgrading_twice_changes_nothing(url: str) -> None:
    assert migrate.upgrade(url).startswith("upgraded from nothing")
    assert migrate.upgrade(url).startswith("at schema")


def test_no_foreign_key_crosses_a_package() -> None:
    for metadata in migrate.metadata():
        for table in metadata.tables.values():
            for key in table.foreign_keys:
                assert key.column.table.metadata is metadata
