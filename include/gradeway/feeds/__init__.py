"""The feeds, in load order: adding one is a module here, a line below and a fixture folder."""

from __future__ import annotations

from gradeway.errors import SettingsError
from gradeway.feeds import asg, col, colext, colnc, colncval, groups, members, results, sch, sessions
from gradeway.feeds.spec import FeedSpec, fold
from gradeway.settings import Settings

FEEDS: dict[str, FeedSpec] = {
    spec.name: spec
    for spec in (
        *(sch.SPEC, asg.SPEC, col.SPEC, colnc.SPEC, colext.SPEC, colncval.SPEC),
        *(groups.SPEC, members.SPEC, sessions.SPEC, results.SPEC),
    )
}
INBOXES: tuple[str, ...] = tuple(sorted({spec.inbox for spec in FEEDS.values()}))


def stages(inbox: str = "") -> list[int]:
    """Return the stages of an inbox's feeds, or of all, in load order."""
    return sorted({spec.stage for spec in FEEDS.values() if inbox in {"", spec.inbox}})


def check(settings: Settings) -> None:
    """Make sure that the settings name feeds that exist.

    Raises:
        SettingsError: they do not.
    """
    if unknown := sorted(settings.whole_file_feeds - FEEDS.keys()):
        msg = f"GRADEWAY_WHOLE_FILE_FEEDS is wrong: there is no feed {unknown[0]}; feeds are {', '.join(FEEDS)}"
        raise SettingsError(msg)


def of_file(name: str, header: str = "", inbox: str = "") -> FeedSpec | None:
    """Return the feed, of an inbox if one is given, that takes a file: by its ending, then by its header line.

    Among feeds of one ending it is one whose required columns are there, and among those the one
    that knows the most of the header's names and the fewest others.
    """
    ending = f".{name.rpartition('.')[2].lower()}" if "." in name else ""
    specs = [spec for spec in FEEDS.values() if spec.suffix == ending and inbox in {"", spec.inbox}]
    if len(specs) < 2:
        return specs[0] if specs else None
    named = {fold(cell.strip().strip('"')) for cell in header.replace(";", ",").split(",")}
    if not any(named & spec.names.keys() for spec in specs):
        return max(specs, key=lambda spec: len(spec.names))  # its contract can say the most about what is wrong
    return max(specs, key=lambda spec: (spec.required <= named, len(named & spec.names.keys()), -len(spec.names)))


def suffix_of(feed: str) -> str:
    """Return the file ending of a feed, with its dot; nothing where there is no such feed."""
    return FEEDS[feed].suffix if feed in FEEDS else ""
