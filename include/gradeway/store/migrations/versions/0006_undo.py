"""Batches that undo others, who gave what a change replaced, and ids that are never given twice."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
ORIGINAL = "state NOT IN ('duplicate', 'refused') AND replay_of IS NULL"


def upgrade() -> None:
    """Apply this revision."""
    # both databases know this statement; alembic would make the table anew on SQLite, and others refer to it
    op.execute("ALTER TABLE batch ADD COLUMN undo_of INTEGER CONSTRAINT fk_batch_undo_of REFERENCES batch (id)")
    op.create_index("uq_batch_undo_of", "batch", ["undo_of"], unique=True)
    _know_bytes_where(f"{ORIGINAL} AND undo_of IS NULL")
    # who gave what older changes replaced is not known: nobody, so that a late row may replace it once more
    op.add_column("change", sa.Column("given", JSON, server_default=sa.text("'{}'"), nullable=False))
    _count_ids(sqlite_autoincrement=True)


def downgrade() -> None:
    """Take this revision back."""
    _count_ids(sqlite_autoincrement=False)
    op.drop_column("change", "given")
    op.drop_index("uq_batch_undo_of", table_name="batch")
    _know_bytes_where(ORIGINAL)
    op.drop_column("batch", "undo_of")


def _know_bytes_where(condition: str) -> None:
    where = sa.text(condition)
    op.drop_index("uq_batch_bytes", table_name="batch")
    op.create_index(
        "uq_batch_bytes", "batch", ["feed", "sha256"], unique=True, postgresql_where=where, sqlite_where=where
    )


def _count_ids(*, sqlite_autoincrement: bool) -> None:
    """Let SQLite, too, never give the id of a schema or column that was removed to a new one, or let it again.

    The tables are made anew, first without the key between them, which would keep the schemas' from being replaced.
    """
    if op.get_bind().dialect.name != "sqlite":
        return
    counted = {"sqlite_autoincrement": sqlite_autoincrement}
    with op.batch_alter_table("grade_column", recreate="always", table_kwargs=counted) as columns:
        columns.drop_constraint("fk_grade_column_schema_id", type_="foreignkey")
    with op.batch_alter_table("grade_schema", recreate="always", table_kwargs=counted):
        pass
    with op.batch_alter_table("grade_column", recreate="always", table_kwargs=counted) as columns:
        columns.create_foreign_key("fk_grade_column_schema_id", "grade_schema", ["schema_id"], ["id"])
