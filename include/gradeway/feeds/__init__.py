"""The feeds, in load order: adding one is a module here, a line below and a fixture folder."""

from __future__ import annotations

from gradeway.errors import SettingsError
from gradeway.feeds import asg, col, colext, colnc, colncval, sch
from gradeway.feeds.spec import FeedSpec
from gradeway.settings import Settings

FEEDS: dict[str, FeedSpec] = {
    spec.name: spec for spec in (sch.SPEC, asg.SPEC, col.SPEC, colnc.SPEC, colext.SPEC, colncval.SPEC)
}
STAGES: tuple[int, ...] = tuple(sorted({spec.stage for spec in FEEDS.values()}))
INBOXES: tuple[str, ...] = tuple(sorted({spec.inbox for spec in FEEDS.values()}))


def check(settings: Settings) -> None:
    """Make sure that the settings name feeds that exist.

    Raises:
        SettingsError: they do not.
    """
    if unknown := sorted(settings.whole_file_feeds - FEEDS.keys()):
        msg = f"GRADEWAY_WHOLE_FILE_FEEDS is wrong: there is no feed {unknown[0]}; feeds are {', '.join(FEEDS)}"
        raise SettingsError(msg)


def of_file(name: str, inbox: str = "grades") -> FeedSpec | None:
    """Return the feed of an inbox that takes files of this name, by its ending in any case."""
    spec = FEEDS.get(name.rpartition(".")[2].lower()) if "." in name else None
    return spec if spec and spec.inbox == inbox else None
