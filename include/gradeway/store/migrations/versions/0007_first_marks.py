"""What was set beside a grade before us, what held a call first, accepted problems, and the attempts of results."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "result_row",
        sa.Column("batch_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("system", sa.String(length=32), nullable=False),
        sa.Column("session", sa.String(length=255), server_default="", nullable=False),
        sa.Column("assessment", sa.String(length=255), server_default="", nullable=False),
        sa.Column("schedule", sa.String(length=64), server_default="", nullable=False),
        sa.Column("attempt", sa.String(length=64), server_default="", nullable=False),
        sa.Column("rule", sa.String(length=16), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "line", name=op.f("pk_result_row")),
    )
    op.add_column("grade_receipt", sa.Column("first_marks", sa.Text()))
    op.add_column("publish_intent", sa.Column("holds", JSON))
    op.add_column("publish_problem", sa.Column("accepted", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    """Take this revision back."""
    op.drop_column("publish_problem", "accepted")
    op.drop_column("publish_intent", "holds")
    op.drop_column("grade_receipt", "first_marks")
    op.drop_table("result_row")
