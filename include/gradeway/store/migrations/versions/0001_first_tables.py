"""First tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
ORIGINAL = sa.text("state NOT IN ('duplicate', 'refused') AND replay_of IS NULL")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "batch",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("feed", sa.String(length=32), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("report_due", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_failure", sa.Text(), server_default="", nullable=False),
        sa.Column("duplicate_of", sa.Integer(), nullable=True),
        sa.Column("replay_of", sa.Integer(), nullable=True),
        sa.Column("rows_in", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created", sa.Integer(), server_default="0", nullable=False),
        sa.Column("updated", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unchanged", sa.Integer(), server_default="0", nullable=False),
        sa.Column("duplicates", sa.Integer(), server_default="0", nullable=False),
        sa.Column("superseded", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rejected", sa.Integer(), server_default="0", nullable=False),
        sa.Column("parked", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reasons", JSON, nullable=False),
        sa.ForeignKeyConstraint(["duplicate_of"], ["batch.id"], name=op.f("fk_batch_duplicate_of")),
        sa.ForeignKeyConstraint(["replay_of"], ["batch.id"], name=op.f("fk_batch_replay_of")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("batch", schema=None) as batch_op:
        batch_op.create_index("ix_batch_state", ["state"], unique=False)
        batch_op.create_index(
            "uq_batch_bytes", ["feed", "sha256"], unique=True, postgresql_where=ORIGINAL, sqlite_where=ORIGINAL
        )

    op.create_table(
        "change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("entity", sa.String(length=16), nullable=False),
        sa.Column("entity_id", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("before", JSON, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change")),
    )
    with op.batch_alter_table("change", schema=None) as batch_op:
        batch_op.create_index("ix_change_batch", ["batch_id"], unique=False)
        batch_op.create_index("ix_change_entity", ["entity", "entity_id"], unique=False)

    op.create_table(
        "course",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.String(length=256), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_course")),
        sa.UniqueConstraint("source_id", name=op.f("uq_course_source_id")),
    )
    op.create_table(
        "grade",
        sa.Column("column_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("learner_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("column_id", "learner_id", name=op.f("pk_grade")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "grade_history",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("column_id", sa.Integer(), nullable=False),
        sa.Column("learner_id", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("replaced_by_batch", sa.Integer(), nullable=False),
        sa.Column("replaced_by_line", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grade_history")),
    )
    with op.batch_alter_table("grade_history", schema=None) as batch_op:
        batch_op.create_index("ix_grade_history_grade", ["column_id", "learner_id"], unique=False)

    op.create_table(
        "grade_schema",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=333), nullable=False),
        sa.Column("symbols", JSON, nullable=False),
        sa.Column("optional_data", JSON, nullable=False),
        sa.Column("given", JSON, nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grade_schema")),
        sa.UniqueConstraint("title", name=op.f("uq_grade_schema_title")),
    )
    op.create_table(
        "learner",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.String(length=333), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_learner")),
        sa.UniqueConstraint("source_id", name=op.f("uq_learner_source_id")),
    )
    op.create_table(
        "finding",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=True),
        sa.Column("column", sa.String(length=64), server_default="", nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_finding_batch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding")),
    )
    with op.batch_alter_table("finding", schema=None) as batch_op:
        batch_op.create_index("ix_finding_batch", ["batch_id", "line"], unique=False)

    op.create_table(
        "grade_column",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=333), nullable=False),
        sa.Column("match_key", sa.String(length=333), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("due_date", sa.Date(), nullable=True),
        sa.Column("points", sa.String(length=60), nullable=False),
        sa.Column("schema_id", sa.Integer(), nullable=True),
        sa.Column("external", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("optional_data", JSON, nullable=False),
        sa.Column("given", JSON, nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("external_batch_id", sa.Integer(), nullable=True),
        sa.Column("instructions", sa.Text(), nullable=True),
        sa.Column("anonymous", sa.Boolean(), nullable=True),
        sa.Column("group_work", sa.Boolean(), nullable=True),
        sa.Column("content_area", sa.Text(), nullable=True),
        sa.Column("available", sa.Boolean(), nullable=True),
        sa.Column("colour", sa.String(length=10), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=True),
        sa.Column("tracked", sa.Boolean(), nullable=True),
        sa.Column("start_date", sa.Date(), nullable=True),
        sa.Column("end_date", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["course_id"], ["course.id"], name=op.f("fk_grade_column_course_id")),
        sa.ForeignKeyConstraint(["schema_id"], ["grade_schema.id"], name=op.f("fk_grade_column_schema_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grade_column")),
        sa.UniqueConstraint("course_id", "match_key", name=op.f("uq_grade_column_course_id_match_key")),
    )
    with op.batch_alter_table("grade_column", schema=None) as batch_op:
        batch_op.create_index("ix_grade_column_name", ["course_id", "name"], unique=False)
        batch_op.create_index(batch_op.f("ix_grade_column_schema_id"), ["schema_id"], unique=False)
        batch_op.create_index(
            "uq_grade_column_external",
            ["course_id"],
            unique=True,
            postgresql_where=sa.text("external"),
            sqlite_where=sa.text("external"),
        )

    op.create_table(
        "parked_row",
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("feed", sa.String(length=32), nullable=False),
        sa.Column("parent", sa.String(length=8), nullable=False),
        sa.Column("course", sa.String(length=256), nullable=False),
        sa.Column("name", sa.String(length=333), nullable=False),
        sa.Column("cells", JSON, nullable=False),
        sa.Column("parked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_parked_row_batch_id")),
        sa.PrimaryKeyConstraint("batch_id", "line", name=op.f("pk_parked_row")),
    )
    with op.batch_alter_table("parked_row", schema=None) as batch_op:
        batch_op.create_index("ix_parked_row_parent", ["parent", "course", "name"], unique=False)


def downgrade() -> None:
    """Take this revision back."""
    with op.batch_alter_table("parked_row", schema=None) as batch_op:
        batch_op.drop_index("ix_parked_row_parent")

    op.drop_table("parked_row")
    with op.batch_alter_table("grade_column", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_grade_column_external", postgresql_where=sa.text("external"), sqlite_where=sa.text("external")
        )
        batch_op.drop_index(batch_op.f("ix_grade_column_schema_id"))
        batch_op.drop_index("ix_grade_column_name")

    op.drop_table("grade_column")
    with op.batch_alter_table("finding", schema=None) as batch_op:
        batch_op.drop_index("ix_finding_batch")

    op.drop_table("finding")
    op.drop_table("learner")
    op.drop_table("grade_schema")
    with op.batch_alter_table("grade_history", schema=None) as batch_op:
        batch_op.drop_index("ix_grade_history_grade")

    op.drop_table("grade_history")
    op.drop_table("grade")
    op.drop_table("course")
    with op.batch_alter_table("change", schema=None) as batch_op:
        batch_op.drop_index("ix_change_entity")
        batch_op.drop_index("ix_change_batch")

    op.drop_table("change")
    with op.batch_alter_table("batch", schema=None) as batch_op:
        batch_op.drop_index("uq_batch_bytes", postgresql_where=ORIGINAL, sqlite_where=ORIGINAL)
        batch_op.drop_index("ix_batch_state")

    op.drop_table("batch")
