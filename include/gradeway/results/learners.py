"""Whose attempt it is: the identifier by which the gradebook knows a participant."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from gradeway.errors import VendorRefusedError
from gradeway.settings import Settings
from gradeway.vendors.delivery import Participant
from gradeway.vendors.questionmark import Questionmark

LONGEST = 333
FEW = 3  # asked for one by one; more are read with their group


class Learners:
    """The identifiers of participants; each is asked for once. Blank where a participant has none."""

    def __init__(self, client: Questionmark, settings: Settings, known: Mapping[int, str]) -> None:
        self._client = client
        self._property = settings.questionmark_learner
        self._known = {participant: learner for participant, learner in known.items() if learner}

    def __getitem__(self, participant: int) -> str:
        return self._known[participant]

    def ask(self, participants: Collection[int], group: int | None) -> None:
        """Find out about participants, many of whom may be of a group.

        Raises:
            VendorError: as the client's calls.
        """
        if group is not None and len(self._missing(participants)) > FEW:
            self._ask_group(group)
        for participant in self._missing(participants):
            self._note(participant, self._client.get(Participant, participant))

    def _missing(self, participants: Collection[int]) -> list[int]:
        return sorted(set(participants) - self._known.keys())

    def _ask_group(self, group: int) -> None:
        try:
            for member in self._client.members(group):
                self._note(member.id, member)
        except VendorRefusedError as error:
            if error.status != 404:
                raise

    def _note(self, participant: int, found: Participant | None) -> None:
        text = str(found[self._property] or "").strip() if found else ""
        self._known[participant] = text if len(text) <= LONGEST else ""  # cut short it would be another's
