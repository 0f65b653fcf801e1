"""Starting data: the sandbox's own, all made up, or a seed."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from gradeway.errors import SettingsError
from gradeway.sandbox.assessmentq.entities import SEEDED, Entity
from gradeway.sandbox.documents import Document, Documents
from gradeway.sandbox.names import person

# Number, name, and how many sit it.
EXAMS = ((1, "Anatomy final, exam hall", 300), (2, "Statics final, exam hall", 120), (3, "Anatomy final, resit", 12))
FIRST_PARTICIPANT = 510001


def start() -> dict[str, list[Document]]:
    """Return the starting data, as a seed."""
    participants = [_participant(number) for number in range(max(sitting for _, _, sitting in EXAMS))]
    return {
        "Exams": [{"id": str(number), "name": name} for number, name, _ in EXAMS],
        "Participants": participants,
        "Sittings": [
            {"exam": str(number), "participant": participant["id"]}
            for number, _, sitting in EXAMS
            for participant in participants[:sitting]
        ],
    }


def load(documents: Documents, seed: Mapping[str, list[Document]]) -> None:
    """Load a seed.

    Raises:
        SettingsError: it holds what the server does not have, or leads to what is not there.
    """
    for name, entries in seed.items():
        if name not in SEEDED:
            msg = f"the seed has an unknown entity set {name}; there are {', '.join(SEEDED)}"
            raise SettingsError(msg)
        for number, entry in enumerate(entries, 1):
            _add(documents, name, _entity(SEEDED[name], entry, f"{name}[{number}]"))
    for sitting in documents.find("Sittings"):
        for name, key in (("Exams", sitting["exam"]), ("Participants", sitting["participant"])):
            if not documents.get(name, key):
                msg = f"the seed's sitting {sitting['id']} leads to {name}({key}), which is missing"
                raise SettingsError(msg)


def _entity(kind: type[Entity], entry: Document, place: str) -> Entity:
    try:
        return kind.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        msg = f"the seed's {'.'.join([place, *map(str, first['loc'])])}: {first['msg']}"
        raise SettingsError(msg) from None


def _add(documents: Documents, name: str, entity: Entity) -> None:
    document = entity.document()
    if documents.get(name, document["id"]):
        msg = f"the seed has {name}({document['id']}) twice"
        raise SettingsError(msg)
    documents.put(name, document["id"], document)


def _participant(number: int) -> Document:
    return {"id": str(FIRST_PARTICIPANT + number), "name": person(number).login}
