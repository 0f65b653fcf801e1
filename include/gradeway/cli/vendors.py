"""`gradeway vendors check`: are the connections right, and what may they do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from gradeway.cli import assessmentq, files, learn, out
from gradeway.cli.files import check_files_folder
from gradeway.cli.out import Field
from gradeway.cli.shell import DONE, FOUND
from gradeway.errors import SettingsError, VendorAnswerError, VendorAwayError, VendorError
from gradeway.sessions.sync import administrator
from gradeway.settings import Settings, Target, load
from gradeway.vendors.assessmentq import CONNECTION as OFFLINE
from gradeway.vendors.connection import from_environment, is_set, variable
from gradeway.vendors.delivery import Administrator, Group, MonitoringType, Permission
from gradeway.vendors.learn import CONNECTION as LEARN
from gradeway.vendors.questionmark import CONNECTION, Questionmark

USES = {CONNECTION: "exam sessions", OFFLINE: "offline exams", LEARN: "the gradebook in Learn"}
MONITORING = (Field("monitoring type", whole=True), Field("ID", number=True), Field("needs"), Field("set for us"))


@dataclass
class Found:
    """What a check of Questionmark found; ``problems`` are what keeps us from working, each with its remedy."""

    url: str = ""
    administrator: dict[str, Any] | None = None
    groups: int = 0
    schedulable: int = 0
    permissions: int = 0
    unsaved: int = 0
    monitoring_types: list[dict[str, Any]] = field(default_factory=list)
    problems: list[dict[str, str]] = field(default_factory=list)

    def refuse(self, what: str, remedy: str) -> None:
        """Add a problem."""
        self.problems.append({"what": what, "remedy": remedy})


def check_vendors(output: str, course: str = "") -> int:
    """Print what the connections may do, in Learn also with a course; return the exit code.

    Raises:
        SettingsError: none is set, or a setting is wrong.
    """
    settings = load()
    unset = _unset(settings)
    if len(unset) == len(USES) and not course:
        needs = "; ".join(f"{variable(each)} for {USES[each]}" for each in unset)
        msg = f"no connection is set; put each that you use into its variable as a URI or JSON: {needs}"
        raise SettingsError(msg)
    folder = check_files_folder(settings) if settings.publish_target is Target.FILES else None
    offline = assessmentq.check_assessmentq() if is_set(OFFLINE) else None
    gradebook = learn.check_learn(course) if course or is_set(LEARN) else None
    delivery = _check_questionmark(settings) if is_set(CONNECTION) else None
    problems = [{"connection": CONNECTION, **each} for each in (delivery.problems if delivery else [])]
    others = [each for each in (offline, gradebook, folder) if each]
    problems += [{"connection": found.connection, **each} for found in others for each in found.problems]
    if output == "json":
        facts = vars(delivery or Found()) | {"problems": problems, "not_set": unset}
        facts |= {"assessmentq": offline and vars(offline), "learn": gradebook and vars(gradebook)}
        facts |= {"files": folder and vars(folder)}
        out.print_json({"connection": delivery and CONNECTION, "ok": not problems, **facts})
    else:
        _print(delivery, others, unset, problems)
    return FOUND if problems else DONE


def _unset(settings: Settings) -> list[str]:
    """Return the connections that are not set; that of Learn is not needed where files are written instead."""
    by_files = settings.publish_target is Target.FILES
    return [each for each in USES if not (is_set(each) or (each == LEARN and by_files))]


def _check_questionmark(settings: Settings) -> Found:
    found = Found()
    with Questionmark(from_environment(CONNECTION)) as client:
        found.url = client.transport.endpoint.url
        try:
            _look(client, settings, found)
        except VendorError as error:
            found.refuse(str(error), _remedy(error))
    return found


def _remedy(error: VendorError) -> str:
    """Say what to correct, by the first thing that went wrong."""
    by_status = {
        401: "correct login and password: those of a service account that may access the server configuration",
        403: "give the service account the Admin role, or one with Access Server Configuration",
        404: 'correct the area (the customer number) in the host\'s path or the extra, as in {"area": "123456"}',
    }
    if error.status in by_status:
        return by_status[error.status]
    if isinstance(error, VendorAwayError):
        return "see that host and port are right and reachable from here; if they are, try again later"
    if isinstance(error, VendorAnswerError):
        return "see that the host is that of the delivery service and nothing stands between"
    if error.status is None:
        return "see that the host's name is right; a private authority's certificate goes into REQUESTS_CA_BUNDLE"
    return "see that host and area are right"


def _look(client: Questionmark, settings: Settings, found: Found) -> None:
    found.groups = sum(1 for _ in client.find(Group))
    if not found.groups:
        found.refuse("there is no group", "create groups there: sessions are scheduled for groups")
    _look_at_monitoring(client, settings, found)
    try:
        number = administrator(settings, client.transport.endpoint)
    except SettingsError as error:
        found.refuse("no administrator is named", str(error))
    else:
        _look_at_administrator(client, number, found)


def _look_at_administrator(client: Questionmark, number: int, found: Found) -> None:
    person = client.get(Administrator, number)
    if person is None:
        found.refuse(
            f"there is no administrator {number}",
            "correct GRADEWAY_QUESTIONMARK_ADMINISTRATOR, or the administrator in the connection's extra",
        )
        return
    found.administrator = {"id": person.id, "name": person.name}
    _count(client.schedulable(number), found)
    if not found.schedulable:
        found.refuse(
            f"administrator {number} may schedule nothing",
            "let them own top-level groups, and associate assessments with those",
        )


def _count(permissions: list[Permission], found: Found) -> None:
    assessments = {permission.assessment.id: permission.assessment for permission in permissions}
    found.permissions = len(permissions)
    found.unsaved = sum(each.save_answers is False for each in assessments.values())
    found.schedulable = len(assessments) - found.unsaved


def _look_at_monitoring(client: Questionmark, settings: Settings, found: Found) -> None:
    chosen = dict(_chosen(settings))
    types = {each.name or "": each for each in client.find(MonitoringType)}
    found.monitoring_types = [_monitoring(each, chosen) for each in types.values()]
    for name, setting in chosen.items():
        if name not in types:
            found.refuse("a monitoring type that is set is not there", f"correct {setting}")
        elif types[name].disabled:
            found.refuse(f"monitoring type {name} is disabled there", f"enable it there, or set another in {setting}")


def _chosen(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield the monitoring types that are set, with the variable that sets each."""
    for field_name in ("monitoring_secure", "monitoring_authorization", "monitoring"):
        name = getattr(settings, f"questionmark_{field_name}")
        if name:
            yield name, f"GRADEWAY_QUESTIONMARK_{field_name.upper()}"


def _monitoring(each: MonitoringType, chosen: dict[str, str]) -> dict[str, Any]:
    return {
        "id": each.id,
        "name": each.name,
        "secure_browser": bool(each.require_qsb),
        "device_events": bool(each.require_device_events),
        "test_center": bool(each.require_test_center),
        "disabled": bool(each.disabled),
        "set_by": chosen.get(each.name or ""),
    }


def _print(
    delivery: Found | None,
    others: Sequence[assessmentq.Found | learn.Found | files.Found],
    unset: Sequence[str],
    problems: list[dict[str, str]],
) -> None:
    if delivery:
        _print_delivery(delivery)
    for number, each in enumerate(others):
        if delivery or number:
            out.say("")
        out.say(out.facts(each.facts()))
    if unset:
        out.say("", out.facts([(each, f"not set: it is for {USES[each]}") for each in unset]))
    out.say(out.heading("Problems" if problems else "All is well"))
    for problem in problems:
        out.say(f"- {problem['what']}\n  {problem['remedy']}")


def _print_delivery(found: Found) -> None:
    pairs: list[tuple[str, object]] = [("connection", CONNECTION), ("service", found.url)]
    if found.groups:
        pairs.append(("groups", f"{found.groups:,}"))
    if found.administrator:
        unsaved = f"; {found.unsaved:,} more do not save their answers" if found.unsaved else ""
        may = f"{out.count(found.schedulable, 'assessment')}, {found.permissions:,} by group{unsaved}"
        pairs += [
            ("administrator", f"{found.administrator['name']} ({found.administrator['id']})"),
            ("may schedule", may),
        ]
    out.say(out.facts(pairs))
    if found.monitoring_types:
        out.say(out.table(MONITORING, map(_monitoring_row, found.monitoring_types)))


def _monitoring_row(item: dict[str, Any]) -> list[object]:
    needs = {"secure_browser": "secure browser", "device_events": "device events", "test_center": "test center"}
    named = [text for name, text in needs.items() if item[name]] + (["disabled"] if item["disabled"] else [])
    return [item["name"], item["id"], ", ".join(named), item["set_by"]]
