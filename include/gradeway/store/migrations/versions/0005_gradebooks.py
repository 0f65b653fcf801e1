"""What gradebooks were told: intents, what stands there, receipts, conflicts, problems, calls."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "compared_course",
        sa.Column("target", sa.String(length=16), nullable=False),
        sa.Column("course_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("whole_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("target", "course_id", name=op.f("pk_compared_course")),
    )
    op.create_table(
        "day_of_calls",
        sa.Column("system", sa.String(length=16), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("comparing", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("system", "day", name=op.f("pk_day_of_calls")),
    )
    op.create_table(
        "grade_conflict",
        sa.Column("target", sa.String(length=16), nullable=False),
        sa.Column("column_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("learner_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("ours", sa.Text(), nullable=True),
        sa.Column("theirs_score", sa.String(length=60), nullable=True),
        sa.Column("theirs_text", sa.Text(), nullable=True),
        sa.Column("theirs_marks", sa.Text(), server_default="", nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolution", sa.String(length=8), server_default="", nullable=False),
        sa.Column("resolved_by", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("target", "column_id", "learner_id", name=op.f("pk_grade_conflict")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_grade_conflict_course_id"), "grade_conflict", ["course_id"], unique=False)
    op.create_table(
        "grade_receipt",
        sa.Column("target", sa.String(length=16), nullable=False),
        sa.Column("column_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("learner_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("score", sa.String(length=60), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("change_index", sa.BigInteger(), nullable=False),
        sa.Column("first_score", sa.String(length=60), nullable=True),
        sa.Column("first_text", sa.Text(), nullable=True),
        sa.Column("intent_id", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("target", "column_id", "learner_id", name=op.f("pk_grade_receipt")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "publish_problem",
        sa.Column("target", sa.String(length=16), nullable=False),
        sa.Column("course_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("entity_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("learner_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("value", sa.Text(), server_default="", nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="1", nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "target", "course_id", "kind", "entity_id", "learner_id", "code", name=op.f("pk_publish_problem")
        ),
    )
    op.create_index("ix_publish_problem_grade", "publish_problem", ["entity_id", "learner_id"], unique=False)
    op.create_table(
        "published_item",
        sa.Column("target", sa.String(length=16), nullable=False),
        sa.Column("course_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("entity_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("remote_id", sa.String(length=64), nullable=False),
        sa.Column("content_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("told", JSON, nullable=False),
        sa.Column("stamp", sa.String(length=64), nullable=False),
        sa.Column("made", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("insist", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("decided_by", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("target", "course_id", "kind", "entity_id", name=op.f("pk_published_item")),
    )
    op.create_table(
        "publish_intent",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("action", sa.String(length=8), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("entity_id", sa.Integer(), nullable=False),
        sa.Column("learner_id", sa.Integer(), server_default="0", nullable=False),
        sa.Column("remote_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("user_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("seen_index", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("before", JSON, nullable=True),
        sa.Column("after", JSON, nullable=False),
        sa.Column("due", sa.Date(), nullable=True),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("outcome", sa.String(length=16), server_default="", nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("approved_by", sa.Text(), server_default="", nullable=False),
        sa.Column("approved_for", sa.Text(), server_default="", nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_publish_intent_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_publish_intent")),
    )
    op.create_index("ix_publish_intent_course", "publish_intent", ["course_id", "state"], unique=False)
    op.create_index("ix_publish_intent_grade", "publish_intent", ["entity_id", "learner_id"], unique=False)
    op.create_index("ix_publish_intent_plan", "publish_intent", ["plan_id", "state"], unique=False)
    op.create_index("ix_publish_intent_state", "publish_intent", ["state"], unique=False)


def downgrade() -> None:
    """Take this revision back."""
    op.drop_index("ix_publish_intent_state", table_name="publish_intent")
    op.drop_index("ix_publish_intent_plan", table_name="publish_intent")
    op.drop_index("ix_publish_intent_grade", table_name="publish_intent")
    op.drop_index("ix_publish_intent_course", table_name="publish_intent")
    op.drop_table("publish_intent")
    op.drop_table("published_item")
    op.drop_index("ix_publish_problem_grade", table_name="publish_problem")
    op.drop_table("publish_problem")
    op.drop_table("grade_receipt")
    op.drop_index(op.f("ix_grade_conflict_course_id"), table_name="grade_conflict")
    op.drop_table("grade_conflict")
    op.drop_table("day_of_calls")
    op.drop_table("compared_course")
