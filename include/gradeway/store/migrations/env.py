"""Runs the migrations on the connection that `Store.upgrade` hands over."""

from alembic import context

from gradeway.store import custody, exams, publish  # noqa: F401  their tables are among the metadata
from gradeway.store.engine import VERSION_TABLE
from gradeway.store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
