"""Groups of learners (groups.csv), to which sessions are assigned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradeway.feeds import tao
from gradeway.feeds.spec import FeedSpec, column, table
from gradeway.settings import Settings

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema


def contract(_settings: Settings) -> DataFrameSchema:
    """Return the contract of the groups template."""
    return table(
        {
            "group_name": column(tao.parse_name, required=True),
            "group_description": column(str, default=""),
            "group_active": column(tao.parse_boolean, default=True, warn=tao.odd_boolean),
            "group_organizationId": column(tao.parse_name, default=""),
        }
    )


SPEC = FeedSpec(
    name="groups",
    ending="csv",
    title="Groups",
    stage=5,
    build=contract,
    key=("group_name",),
    source="TAO Portal user guide: Import/update groups",
    loader="gradeway.loading.groups:GroupLoader",
    inbox="sessions",
    separators=",;",
    is_partial=True,
    unread=("group_metadata_",),
    rivals=("sessions",),
)
