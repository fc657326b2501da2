"""Alembic's entry: runs the one history on the database named by the caller."""

from alembic import context

from hub import db
from hub.migrate import VERSION_TABLE, metadata

engine = db.open_engine(context.config.attributes["url"])
try:
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=metadata(),
            version_table=VERSION_TABLE,
            render_as_batch=connection.dialect.name == "sqlite",
            include_object=lambda _thing, name, kind, _reflected, _other: (
                kind != "table" or str(name).startswith(("hub_", "grader_", "certs_"))
            ),
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
finally:
    # SQLite's files must not stay open in a process that goes on to copy or move them.
    engine.dispose()
