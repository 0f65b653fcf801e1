"""The exams of the demo, and the people who sit them: one exam online, one offline in an exam hall.

What happens at the vendors is made up: their stand-ins begin with the seeds of ``write_seeds``, and
``Exams`` does what participants do there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import requests

from gradeway.demo.samples import write
from gradeway.demo.term import Term, members
from gradeway.sandbox.learn import start as learn
from gradeway.sandbox.names import person

COURSE, SESSION, ONLINE, OFFLINE = "ANA101", "Anatomy morning", "Midterm", "Practical"
# Those whom Questionmark's stand-in has in the group Nursing 1A.
LEARNERS = [person(number).login for number in range(0, 30, 5)]
PARTICIPANTS = range(510001, 510031, 5)
SAMPLE_COURSE, SAMPLE_LEARNER = "GJTEST1", "User001"

COLUMNS = f"""\
courseId|name|points|optionalData
{COURSE}|{ONLINE}|20|SESSION={SESSION}
{COURSE}|{OFFLINE}|40|ASSESSMENT=1
"""
SESSIONS = f"""\
session_deliveryId,group_name,session_name,session_startDate,session_endDate
Anatomy midterm,Nursing 1A,{SESSION},2020-01-10T08:00:00Z,2040-01-10T10:00:00Z
"""


def write_seeds(folder: Path, term: Term) -> dict[str, Path]:
    """Write what the stand-ins begin with; return the files by vendor."""
    who = {SAMPLE_COURSE: [SAMPLE_LEARNER], COURSE: LEARNERS} | members(term)
    # One Ultra course, in which no schema can be made: what that keeps back is told.
    kinds = dict.fromkeys(who, "Classic") | {term.course_ids[-1]: "Ultra"}
    hall = {
        "Exams": [{"id": "1", "name": "Anatomy practical"}],
        "Participants": [{"id": login} for login in LEARNERS],
        "Sittings": [{"exam": "1", "participant": login} for login in LEARNERS],
    }
    seeds = {"learn": learn.courses(kinds, who), "assessmentq": hall}
    return {vendor: write(folder / f"{vendor}.json", [json.dumps(seed)]) for vendor, seed in seeds.items()}


class Exams:
    """What participants do, in stand-ins whose origins are given by vendor."""

    def __init__(self, origins: Mapping[str, str]) -> None:
        self._origins = origins
        self._http = requests.Session()
        self._http.trust_env = False  # a proxy or a .netrc of the machine has no say

    def sit_online(self, schedule: int) -> None:
        """Let learners sit the exam on a schedule in Questionmark."""
        for place, participant in enumerate(PARTICIPANTS):
            for do, how in (("start", {}), ("finish", {"score": 11 + 3 * place, "max": 30})):
                self._play("questionmark", ScheduleID=schedule, ParticipantID=participant, do=do, **how)

    def sit_offline(self, inbox: Path) -> list[Path]:
        """Let learners sit the exam on computers without a network; return the files brought into the inbox."""
        files = []
        for place, login in enumerate(LEARNERS, 1):
            sitting = f"{login}-1"
            self._play("assessmentq", sitting=sitting, do="start")
            content = self._play("assessmentq", sitting=sitting, do="finish", score=20 + 3 * place, max=40)
            folder = inbox / f"hall-pc{place:02}"
            folder.mkdir(parents=True)
            draft = folder / f".{sitting}.part"
            draft.write_bytes(content)
            files.append(draft.replace(folder / f"{sitting}.aqr"))
        return files

    def _play(self, vendor: str, **what: object) -> bytes:
        answer = self._http.post(f"{self._origins[vendor]}/_sandbox/play", json=what, timeout=30)
        answer.raise_for_status()
        return answer.content

    def writes(self) -> int:
        """Return how many calls that change something Learn's stand-in got."""
        log = self._http.get(f"{self._origins['learn']}/_sandbox/log", timeout=30).json()
        return sum(entry["method"] != "GET" and "oauth2" not in entry["path"] for entry in log)
