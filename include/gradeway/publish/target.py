"""Where a store is published to, as the settings say: the one place that tells the targets apart."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gradeway.errors import SettingsError
from gradeway.publish.files import FilesPublisher
from gradeway.publish.run import LearnPublisher, Progress, Publisher, open_learn
from gradeway.settings import Settings, Target
from gradeway.store.engine import Store
from gradeway.vendors.connection import Endpoint

log = logging.getLogger(__name__)


@contextmanager
def open_publisher(
    store: Store, settings: Settings, endpoint: Callable[[], Endpoint], progress: Progress = log.info
) -> Iterator[Publisher]:
    """Open publishing; files need no endpoint, and do not ask for it.

    Raises:
        SettingsError: the endpoint lacks something.
        TenantChangedError: the store knows another site or folder.
    """
    if settings.publish_target is Target.FILES:
        yield FilesPublisher(store, settings, progress=progress)
        return
    with open_learn(store, endpoint()) as client:
        yield LearnPublisher(store, client, settings, progress=progress)


def need_learn(settings: Settings, what: str) -> None:
    """Make sure that there is a gradebook that can be read.

    Raises:
        SettingsError: there are only files that an importer took away.
    """
    if settings.publish_target is Target.FILES:
        msg = (
            f"{what} needs a gradebook that can be read, and with GRADEWAY_PUBLISH_TARGET=files nobody can tell what "
            "the importer made of the files: look into the gradebook itself, and see `gradeway publish status` and "
            "`gradeway why` for what was written"
        )
        raise SettingsError(msg)


def unit(settings: Settings) -> str:
    """Return what a change of the gradebook is, where it is made: a call, or a row of a file."""
    return "row" if settings.publish_target is Target.FILES else "call"
