"""Links of users to groups (link-existing-user-to-groups.csv, link-new-user-to-groups.csv).

Of a new user's own columns, passwords among them, none is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradeway.feeds import tao
from gradeway.feeds.spec import FeedSpec, column, table
from gradeway.settings import Settings

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema


def contract(_settings: Settings) -> DataFrameSchema:
    """Return the contract of the two templates that link users to groups."""
    return table(
        {
            "user_username": column(tao.parse_name, required=True),
            "group_name": column(tao.parse_name, required=True),
            "group_role": column(tao.parse_name, required=True),
        }
    )


SPEC = FeedSpec(
    name="members",
    ending="csv",
    title="Links of users to groups",
    stage=6,
    build=contract,
    key=("user_username", "group_name", "group_role"),
    source="TAO Portal user guide: Link existing users to groups, Link new users to groups",
    loader="gradeway.loading.groups:MemberLoader",
    inbox="sessions",
    separators=",;",
    is_partial=True,
    unread=("user_",),
)
