"""Result files, their uploads, and whether their system can be reached."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "reach",
        sa.Column("system", sa.String(length=32), nullable=False),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("quiet_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("system", name=op.f("pk_reach")),
    )
    op.create_table(
        "result_file",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("modified_ns", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), server_default="", nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("sitting", sa.String(length=255), server_default="", nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("kept_as", sa.Text(), server_default="", nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("waiting_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dismissed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("final_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("purged_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_result_file")),
    )
    with op.batch_alter_table("result_file", schema=None) as batch_op:
        batch_op.create_index("ix_result_file_state", ["state"], unique=False)
        batch_op.create_index(
            "ux_result_file_place",
            ["folder", "place"],
            unique=True,
            sqlite_where=sa.text("kept_as = ''"),
            postgresql_where=sa.text("kept_as = ''"),
        )

    op.create_table(
        "result_folder",
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("unreadable", sa.Text(), server_default="", nullable=False),
        sa.Column("told", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("compared_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("folder", name=op.f("pk_result_folder")),
    )
    op.create_table(
        "result_upload",
        sa.Column("system", sa.String(length=32), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("modified_ns", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("sitting", sa.String(length=255), server_default="", nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("began", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("ended", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("system", "sha256", name=op.f("pk_result_upload")),
    )
    for name in ("sitting", "began", "ended"):
        op.create_index(f"ix_result_upload_{name}", "result_upload", [name])


def downgrade() -> None:
    """Take this revision back."""
    for name in ("ended", "began", "sitting"):
        op.drop_index(f"ix_result_upload_{name}", table_name="result_upload")
    op.drop_table("result_upload")
    op.drop_table("result_folder")
    with op.batch_alter_table("result_file", schema=None) as batch_op:
        batch_op.drop_index("ux_result_file_place")
        batch_op.drop_index("ix_result_file_state")

    op.drop_table("result_file")
    op.drop_table("reach")
