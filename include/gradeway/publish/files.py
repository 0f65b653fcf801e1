"""Publishing by flat files: what differs from what was written before goes into a folder, for an importer to take."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from gradeway.publish import file_intents
from gradeway.publish.calls import Limit
from gradeway.publish.compare_files import compare_files
from gradeway.publish.file_intents import read_schemas
from gradeway.publish.outbox import Planned
from gradeway.publish.outgoing import Outgoing
from gradeway.publish.run import PATIENCE, Compared, Progress, Publisher, Sent
from gradeway.publish.send_files import FileSender, folder_of
from gradeway.settings import Settings
from gradeway.store import tenants
from gradeway.store.engine import Store
from gradeway.store.publish import FILES

log = logging.getLogger(__name__)


class FilesPublisher(Publisher):
    """Publishes a store to the importer that takes flat files from one folder.

    Planning raises OutgoingError where the folder cannot be used.

    Raises:
        TenantChangedError: the store knows another folder.
    """

    target = FILES

    def __init__(
        self, store: Store, settings: Settings, *, patience: int = PATIENCE, progress: Progress = log.info
    ) -> None:
        super().__init__(store, settings, f"//{FILES}{folder_of(settings)}", patience, progress)

    def _hold(self) -> None:
        tenants.check(self._store, self.target, self._place)  # only what was written binds the store to a folder

    def _plan_all(self, courses: Sequence[int], limit: Limit, *, again: bool, everything: bool) -> Iterator[Planned]:
        Outgoing(folder_of(self._settings)).check(is_known=file_intents.is_known(self._store))

        def look(course_id: int) -> Compared:
            with self._store.session() as session:
                schemas = read_schemas(session, course_id)
                session.expunge_all()
            ours = self._read(course_id, again=again, everything=everything)
            return compare_files(ours, schemas, self._settings), ours

        for course_id in courses:
            limit()
            yield self._keep(look(course_id), look)

    def _send_begun(self, done: Sent) -> None:
        if file_intents.is_under_way(self._store):
            sender = FileSender(self._store, self._settings, done, self._progress)
            sender.prepare()
            tenants.hold(self._store, self.target, self._place)
            sender.send_all()
