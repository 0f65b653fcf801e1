"""Calls that go wrong in one course, and runs that are killed."""

from __future__ import annotations

from itertools import count

from requests import PreparedRequest
from sqlalchemy import Connection

from crash.kill import die
from gradeway.vendors.ending import End
from gradeway.vendors.transport import Transport
from publish import term
from publish.scene import Scene


def spoil(scene: Scene, call: str, **fault: object) -> None:
    """Let calls go wrong: ``call`` is the method and the path below the course."""
    method, path = call.split()
    course = term.remote_course(scene)
    scene.site.act("faults", [{"match": f"{method} */courses/{course}/{path}", **fault}])


def heal(scene: Scene) -> None:
    """Let all calls go well again."""
    scene.site.act("faults", method="DELETE", status=204)


class Doom:
    """Ends this process after so many steps."""

    def __init__(self, step: int) -> None:
        self._step, self._steps = step, count(1)

    def arm(self) -> None:
        commit, send = Connection._commit_impl, Transport._send

        def dying_commit(connection: Connection) -> None:
            commit(connection)
            self._take()

        def dying_send(transport: Transport, request: PreparedRequest) -> End:
            end = send(transport, request)
            if request.method != "GET":
                self._take()
            return end

        Connection._commit_impl, Transport._send = dying_commit, dying_send  # type: ignore[method-assign]

    def _take(self) -> None:
        if next(self._steps) == self._step:
            die()
