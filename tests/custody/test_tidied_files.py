"""What custody forgets after its time, and what it must not."""

from __future__ import annotations

from datetime import timedelta

from gradeway import clock
from gradeway.custody.purge import purge
from gradeway.store.custody import ASSESSMENTQ, FileState, ResultFile, ResultUpload, UploadState
from gradeway.store.engine import Store

NOW = clock.now()
LONG_AGO = NOW - timedelta(days=500)


def file(place: str, state: FileState, **more: object) -> ResultFile:
    values = {"folder": "/exams", "size": 1, "modified_ns": 1, "found_at": LONG_AGO, "sha256": place.ljust(64, "0")}
    return ResultFile(**values | {"place": place, "state": state} | more)


def upload(place: str, **more: object) -> ResultUpload:
    values = {"system": ASSESSMENTQ, "size": 1, "state": UploadState.FINAL, "tries": 1, "sent_at": LONG_AGO}
    return ResultUpload(**values | {"sha256": place.ljust(64, "0"), "ended_at": LONG_AGO} | more)


def test_what_was_done_with_long_ago_is_forgotten_and_nothing_else(empty_store: str) -> None:
    store = Store(empty_store)
    kept = {"state": FileState.KEPT, "final_at": LONG_AGO, "kept_at": LONG_AGO}
    with store.writing() as session:
        session.add_all(
            [
                file("deleted", **kept, kept_as="/x", purged_at=LONG_AGO),
                file("ended", FileState.FINAL, final_at=LONG_AGO),
                file("taken away", FileState.GONE),
                file("taken away, to look at", FileState.GONE, detail="somebody took it away"),
                file("still kept", **kept, kept_as="/y"),
                file("deleted now", **kept, kept_as="/z", purged_at=NOW),
                file("ended now", FileState.FINAL, final_at=NOW),
                file("sent", FileState.SENT, sent_at=LONG_AGO),
                file("waiting", FileState.WAITING, waiting_since=LONG_AGO),
                *map(upload, ("deleted", "ended", "taken away", "still kept", "deleted now", "sent", "of no file")),
                upload("new, of no file", ended_at=NOW),
                upload("without an answer", state=UploadState.UNKNOWN, ended_at=None),
            ]
        )
    before = NOW - timedelta(days=400)
    assert purge(store, before) == {"result_files": 3, "uploads": 5}
    assert purge(store, before) == {"result_files": 0, "uploads": 0}
    with store.session() as session:
        files = {row.place for row in session.query(ResultFile)}
        uploads = {row.sha256.rstrip("0") for row in session.query(ResultUpload)}
    assert files == {"taken away, to look at", "still kept", "deleted now", "ended now", "sent", "waiting"}
    assert uploads == {"still kept", "deleted now", "sent", "new, of no file"}
    store.engine.dispose()
