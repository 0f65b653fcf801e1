"""Runs the migrations on the connection that `Store.upgrade` hands over."""

from alembic import context

from gradeway.store.engine import VERSION_TABLE
from gradeway.store.exams import Attempt

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Attempt.metadata,
    render_as_batch=True,
    compare_type=True,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
