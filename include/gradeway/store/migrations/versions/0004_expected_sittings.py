"""Sittings of which a result is expected, and what a result of an offline exam belongs to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "expected_sitting",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("exam", sa.String(length=255), nullable=False),
        sa.Column("learner", sa.String(length=333), nullable=False),
        sa.Column("sitting", sa.String(length=255), server_default="", nullable=False),
        sa.Column("access_code", sa.String(length=255), server_default="", nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("listed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("dismissed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("compared_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_expected_sitting")),
    )
    op.create_index(op.f("ix_expected_sitting_state"), "expected_sitting", ["state"])
    op.add_column("result_file", sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True))
    for name in ("exam", "sitting"):
        op.add_column("attempt", sa.Column(name, sa.String(length=255), server_default="", nullable=False))


def downgrade() -> None:
    """Take this revision back."""
    for name in ("sitting", "exam"):
        op.drop_column("attempt", name)
    op.drop_column("result_file", "tried_at")
    op.drop_index(op.f("ix_expected_sitting_state"), table_name="expected_sitting")
    op.drop_table("expected_sitting")
