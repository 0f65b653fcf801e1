"""The desk as users meet it: behind Airflow's login, read only, true to the ledger, harmless."""

from __future__ import annotations

import json
import re
import shutil
from html import unescape
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import text

from fixtures.desks import Desk
from fixtures.intakes import STORE, Site
from fixtures.outcomes import COLUMNS, HOSTILE, HOSTILE_COLUMN, LEARNER, values
from fixtures.pages import Seen
from gradeway.checks.report import report
from gradeway.checks.verdict import verdict
from gradeway.errors import SettingsError
from gradeway.orchestration import desk as module
from gradeway.orchestration.reader import Reader
from gradeway.settings import Settings
from gradeway.store import ledger
from gradeway.store.engine import VERSION_TABLE
from gradeway.store.models import Batch

Lively = tuple[Site, dict[str, int]]
EXAMPLES = {"batch_id": "2", "name": "desk.css", "schedule": "1", "course_id": "1", "column_id": "1", "learner_id": "1"}
EXAMPLES["digest"] = "0" * 64
PAGES = ("/", "/parked", "/batches/2", "/batches/99999", "/?state=attention", "/?state=nonsense")


def addresses(desk: Desk) -> list[str]:
    """Return an address for every route of the desk."""
    routes = desk.app.routes
    assert all(isinstance(route, APIRoute) for route in routes), "a mount or a plain route has no guard"
    return [f"/gradeway{route.path.format(**EXAMPLES)}" for route in routes if isinstance(route, APIRoute)]


def seen(page: str) -> str:
    """Return what a page says."""
    return Seen(page).text


def listed(page: str) -> list[int]:
    """Return the batches in the list, in its order."""
    return [int(number) for number in re.findall(r'<td class="number"[^>]*><a [^>]*>(\d+)</a>', page)]


def batch(site: Site, number: int) -> Batch:
    return next(batch for batch in site.batches() if batch.id == number)


# who may see it


def test_every_route_needs_a_login(desk: Desk) -> None:
    assert len(addresses(desk)) >= 7
    for address in addresses(desk):
        assert desk.nobody.get(address).status_code == 401, address
        assert desk.nobody.get(address, headers={"Authorization": "Bearer nonsense"}).status_code in {401, 403}


def test_every_route_needs_a_user_who_may_read_dags(desk: Desk) -> None:
    for address in addresses(desk):
        assert desk.stranger.get(address).status_code == 403, address
        # Airflow would take the DAG to be judged by from here, if the desk did not name it
        assert desk.stranger.get(address, params={"dag_id": "mine"}).status_code == 403
        assert desk.viewer.get(address).status_code in {200, 404}, address


def test_nothing_can_be_written(desk: Desk) -> None:
    for address in addresses(desk):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert desk.viewer.request(method, address).status_code == 405, (method, address)


def test_nothing_else_is_served(desk: Desk) -> None:
    for path in ("/openapi.json", "/docs", "/redoc", "/static/frame.html.j2", "/static/..%2fdesk.py", "/static/"):
        assert desk.viewer.get(f"/gradeway{path}").status_code == 404, path


# what it shows


def test_the_list_has_every_batch_with_counts_that_add_up(desk: Desk, lively: Lively) -> None:
    site, _ = lively
    page = desk.get("/").text
    batches = site.batches()
    assert listed(page) == [one.id for one in reversed(batches)]
    counts = re.findall(r'<td class="count[^"]*" data-label="(\w+)">([\d,]+)</td>', page)
    rows = [dict(counts[start : start + 5]) for start in range(0, len(counts), 5)]
    assert len(rows) == sum(one.state == "loaded" for one in batches) > 5
    for row in rows:
        parts = [int(row[name]) for name in ("Applied", "Unchanged", "Rejected", "Parked")]
        assert int(row["In"]) == sum(parts)


def test_the_list_says_why_a_file_has_no_counts(desk: Desk) -> None:
    said = seen(desk.get("/").text)
    assert "A column is not part of this feed".casefold() in said.casefold()
    assert "the same bytes as batch 2" in said
    assert "failed once, tried again by itself" in said
    assert "about to be loaded" in said


def test_the_cards_sum_up_the_installation(desk: Desk, lively: Lively) -> None:
    site, _ = lively
    late = site.drop("late.colncval", values("BIO101|S000500|Final|1"))
    said = seen(desk.get("/").text)
    late.unlink()
    rejected = sum(one.rejected for one in site.batches())
    assert "1 file in the inbox" in said
    assert "3 rows parked" in said
    assert "4 files refused" in said
    assert f"{rejected} rows rejected" in said
    grades = site.rows("SELECT count(*) FROM grade")[0][0]
    assert f"{grades} grades" in said


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("state=refused", lambda one: one.state == "refused"),
        ("state=duplicate", lambda one: one.state == "duplicate"),
        ("state=claimed", lambda one: one.state == "claimed"),
        ("feed=sch", lambda one: one.feed == "sch"),
        ("state=loaded&feed=colnc", lambda one: one.state == "loaded" and one.feed == "colnc"),
        ("state=attention", lambda one: one.state == "refused" or one.rejected or one.parked or one.failures),
    ],
)
def test_the_list_can_be_filtered(desk: Desk, lively: Lively, query: str, wanted: object) -> None:
    assert callable(wanted)
    found = [one.id for one in reversed(lively[0].batches()) if wanted(one)]
    assert found
    assert listed(desk.get(f"/?{query}").text) == found


def test_a_filter_without_matches_leads_back(desk: Desk) -> None:
    assert "No batch is like this. Show all" in seen(desk.get("/?state=refused&feed=asg").text)


def test_paging_shows_each_batch_once_whatever_lands_meanwhile(
    airflow_desk: Desk, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCHES_SHOWN", 3)
    airflow_desk.show(lambda: site.settings)
    for number in range(8):
        site.drop(f"{number}.sch", f"title|symbols|optionalData\nS{number}|P=50:F=0|\n".encode())
    site.sweep()
    page, found, visited = airflow_desk.get("/?state=loaded").text, [], []
    while True:
        found += listed(page)
        site.send(f"late{len(found)}.sch", f"title|symbols|optionalData\nL{len(found)}|P=50:F=0|\n".encode())
        older = re.search(r'rel="next" href="([^"]+)"', page)
        if not older:
            break
        visited.append(unescape(older[1]))
        assert "state=loaded" in visited[-1]
        page = airflow_desk.viewer.get(visited[-1]).text
    assert found == [8, 7, 6, 5, 4, 3, 2, 1]
    newer = re.search(r'rel="prev" href="([^"]+)"', page)
    assert newer
    assert listed(airflow_desk.viewer.get(unescape(newer[1])).text) == [5, 4, 3]
    assert "data-refresh" not in page


def test_the_first_page_refreshes_itself(desk: Desk) -> None:
    assert 'data-refresh="15"' in desk.get("/?state=loaded").text


def test_every_outcome_has_a_page_with_its_report(desk: Desk, lively: Lively) -> None:
    site, batches = lively
    for name, number in batches.items():
        page = desk.get(f"/batches/{number}").text
        with site.intake.store.session() as session:
            content = report(session, ledger.get(session, number))
        assert verdict(content).sentence in seen(page), name
        assert all(reason["code"] in page for reason in content["reasons"]), name
        for link in re.findall(r'href="(/gradeway/batches/[^"]+)"', page):
            assert desk.viewer.get(link).status_code == 200, (name, link)


def test_an_undone_batch_and_its_undo_name_each_other(airflow_desk: Desk, site: Site) -> None:
    airflow_desk.show(lambda: site.settings)
    site.send("c.colnc", COLUMNS + b"C1|X|||||\n")
    wrong = site.send("w.colncval", values("C1|S1|X|1", "C1|S2|X|2"))
    undo = site.intake.undo(wrong.id).undo_id
    site.intake.finish()
    page = airflow_desk.get("/").text
    assert listed(page) == [undo, wrong.id, 1]
    assert f'undo of <a href="/gradeway/batches/{wrong.id}">batch {wrong.id}</a>' in page
    assert f'undone by <a href="/gradeway/batches/{undo}">batch {undo}</a>' in page
    assert re.findall(r'<span class="mark (\w+)">loaded', page) == ["good", "calm", "good"]
    of, by = seen(airflow_desk.get(f"/batches/{undo}").text), seen(airflow_desk.get(f"/batches/{wrong.id}").text)
    assert f"Undo of batch {wrong.id}" in of
    assert f"Batch {wrong.id} is undone: 2 of its 2 rows were taken back." in of
    assert f"Undone by batch {undo}" in by
    for number in (undo, wrong.id):
        assert airflow_desk.get(f"/batches/{number}/report.json").json()["batch"] == number


def test_parked_rows_name_their_parent_and_their_batch(desk: Desk, lively: Lively) -> None:
    _, batches = lively
    said = seen(desk.get("/parked").text)
    assert "3 rows are right" in said
    assert re.search(rf"1 column {re.escape(HOSTILE_COLUMN)} CHE301 .+? {batches['parked']} ", said)
    assert re.search(rf"2 column Essay LAW1 .+? {batches['rejects']} {batches['replay']} ", said)


def test_no_parked_rows_is_said(airflow_desk: Desk, site: Site) -> None:
    airflow_desk.show(lambda: site.settings)
    assert "No row waits for anything." in airflow_desk.get("/parked").text


# downloads


@pytest.mark.parametrize(
    ("path", "file", "saved_as", "kind"),
    [
        ("report.html", "report.html", "batch-{}-report.html", "text/html; charset=utf-8"),
        ("report.json", "report.json", "batch-{}-report.json", "application/json"),
        ("rejects", "rejects-{}.colncval", "rejects-{}.colncval", "text/plain; charset=utf-8"),
    ],
)
def test_a_download_is_the_file(desk: Desk, lively: Lively, path: str, file: str, saved_as: str, kind: str) -> None:
    site, batches = lively
    number = batches["rejects"]
    answer = desk.get(f"/batches/{number}/{path}")
    assert answer.content == (site.intake.report_folder(batch(site, number)) / file.format(number)).read_bytes()
    assert answer.headers["content-type"] == kind
    assert answer.headers["content-disposition"] == f'attachment; filename="{saved_as.format(number)}"'


def test_a_large_download_arrives_whole(airflow_desk: Desk, site: Site) -> None:
    airflow_desk.show(lambda: site.settings)
    done = site.send("large.colncval", values(*(f"|S{n:06d}|N|{'9' * 300}" for n in range(2000))))
    content = site.reject_file(done).read_bytes()
    assert len(content) > 4 * module.CHUNK
    assert airflow_desk.get(f"/batches/{done.id}/rejects").content == content


@pytest.mark.parametrize(
    ("name", "path", "text"),
    [
        ("loaded", "rejects", "has no rejected rows"),
        ("claimed", "report.html", "not written yet"),
        ("failing", "report.json", "not written yet"),
    ],
)
def test_what_there_is_not_to_download_is_explained(
    desk: Desk, lively: Lively, name: str, path: str, text: str
) -> None:
    assert text in desk.get(f"/batches/{lively[1][name]}/{path}", 404).text


def test_what_retention_removed_is_gone(airflow_desk: Desk, site: Site) -> None:
    airflow_desk.show(lambda: site.settings)
    done = site.send("bad.colncval", values("|S1|N|1"))
    shutil.rmtree(site.intake.report_folder(done))
    for path in ("report.html", "report.json", "rejects"):
        assert "reports are kept for 400 days" in airflow_desk.get(f"/batches/{done.id}/{path}", 410).text
    page = airflow_desk.get(f"/batches/{done.id}").text
    assert "The files were removed" in page
    assert "/rejects" not in page


def test_a_link_in_the_place_of_a_report_is_not_followed(airflow_desk: Desk, site: Site) -> None:
    airflow_desk.show(lambda: site.settings)
    done = site.send("good.sch", b"title|symbols|optionalData\nS|P=50:F=0|\n")
    secret = site.settings.home / "secret"
    secret.write_text("the secret")
    place = site.intake.report_folder(done) / "report.json"
    place.unlink()
    place.symlink_to(secret)
    assert "the secret" not in airflow_desk.get(f"/batches/{done.id}/report.json", 503).text


@pytest.mark.parametrize(
    "path",
    [
        "/batches/2/%2e%2e/%2e%2e/gradeway.db",
        "/batches/2/..%2f..%2f..%2fgradeway.db",
        "/batches/..%2f2/report.json",
        "/batches/2%00/report.json",
        "/batches/-1/report.json",
        "/batches/99999999999999999999/report.json",
        "/batches/2/gradeway.db",
    ],
)
def test_a_request_cannot_name_a_path(desk: Desk, path: str) -> None:
    assert desk.viewer.get(f"/gradeway{path}").status_code in {404, 422}


@pytest.mark.parametrize("name", ["../../../../etc/passwd", "/etc/passwd", "..", "a/../../b.colncval", ""])
def test_a_name_in_the_ledger_cannot_lead_out_of_the_reports(site: Site, name: str) -> None:
    done = site.send("good.sch", b"title|symbols|optionalData\nS|P=50:F=0|\n")
    done.file_name = name
    reports = site.zone.reports.resolve()
    assert Reader(lambda: site.settings).output(done, "report.json").resolve().is_relative_to(reports)


# harmlessness


@pytest.mark.parametrize(
    ("name", "payload"), [("hostile", HOSTILE), ("refused", HOSTILE_COLUMN), ("parked", HOSTILE_COLUMN)]
)
def test_hostile_names_are_shown_and_do_nothing(desk: Desk, lively: Lively, name: str, payload: str) -> None:
    page = desk.get(f"/batches/{lively[1][name]}").text
    assert payload not in page
    assert payload in seen(page)
    for path in ("/", "/parked"):
        page = desk.get(path).text
        assert HOSTILE not in page
        assert "<img" not in page
        assert page.count("<script") == 1  # our own, in the head


def test_no_page_shows_a_learner(desk: Desk, lively: Lively) -> None:
    for path in ("/", "/parked", *(f"/batches/{number}" for number in lively[1].values())):
        assert LEARNER not in desk.get(path).text
    assert LEARNER in desk.get(f"/batches/{lively[1]['rejects']}/rejects").text


def test_pages_need_nothing_that_the_policy_forbids(desk: Desk) -> None:
    for path in PAGES:
        page = Seen(desk.viewer.get(f"/gradeway{path}").text)
        names = {name for _, name, _ in page.attributes}
        assert "style" not in page.tags | names
        assert not [name for name in names if name.startswith("on")]
        links = [value for _, name, value in page.attributes if name in {"src", "href", "action"}]
        assert all(link.startswith("/gradeway/") for link in links), path
        assert [value for tag, name, value in page.attributes if (tag, name) == ("script", "src")] != []


def test_every_answer_carries_the_security_headers(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [desk.viewer.get(f"/gradeway{path}") for path in PAGES]
    answers += [desk.viewer.get(address) for address in addresses(desk)]
    answers += [desk.nobody.get("/gradeway/"), desk.stranger.get("/gradeway/"), desk.viewer.post("/gradeway/")]
    monkeypatch.setattr(module.browse, "page", lambda *_, **__: 1 / 0)
    answers.append(desk.viewer.get("/gradeway/"))
    assert {answer.status_code for answer in answers} == {200, 401, 403, 404, 405, 422, 500}
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


def test_a_defect_shows_no_detail(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.browse, "page", lambda *_, **__: {}["a learner"])
    answer = desk.get("/", 500)
    assert "Something unexpected happened" in answer.text
    assert "a learner" not in answer.text


# when there is nothing to show


def test_before_the_first_file_it_says_how_to_begin_and_makes_nothing(airflow_desk: Desk, tmp_path: Path) -> None:
    airflow_desk.show(lambda: Settings.model_validate({"home": tmp_path / "new"}))
    said = seen(airflow_desk.get("/").text)
    assert "Nothing has landed yet" in said
    assert str(tmp_path / "new/landing/inbox/grades") in said
    assert list(tmp_path.iterdir()) == []


def test_what_is_set_up_later_is_seen_without_a_restart(airflow_desk: Desk, tmp_path: Path) -> None:
    chosen = {"home": tmp_path / "first", "settle_seconds": 0}
    airflow_desk.show(lambda: Settings.model_validate(chosen))
    assert "Nothing has landed yet" in airflow_desk.get("/").text
    chosen["home"] = tmp_path / "second"
    site = Site(tmp_path / "second")
    assert "Nothing has landed yet" in airflow_desk.get("/").text
    site.send("good.sch", b"title|symbols|optionalData\nS|P=50:F=0|\n")
    assert listed(airflow_desk.get("/").text) == [1]


def test_a_store_of_another_version_names_the_remedy(airflow_desk: Desk, site: Site) -> None:
    with site.intake.store.engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = 'older'"))  # noqa: S608
    airflow_desk.show(lambda: site.settings)
    assert "run `gradeway db upgrade`" in airflow_desk.get("/", 503).text


def test_a_wrong_setting_is_named(airflow_desk: Desk) -> None:
    def load() -> Settings:
        msg = "GRADEWAY_ATTEMPTS is wrong: Input should be a valid integer"
        raise SettingsError(msg)

    airflow_desk.show(load)
    assert "GRADEWAY_ATTEMPTS is wrong" in airflow_desk.get("/", 503).text


def test_a_database_that_is_away_is_said_without_its_address(airflow_desk: Desk, tmp_path: Path) -> None:
    url = "postgresql+psycopg://someone:password@127.0.0.1:9/grades"
    airflow_desk.show(lambda: Settings.model_validate({"home": tmp_path, "database_url": url}))
    page = airflow_desk.get("/", 503).text
    assert "The database is away" in page
    assert "data-refresh" in page
    assert not re.search("password|someone|127.0.0.1", page)


def test_it_recovers_when_the_database_is_back(airflow_desk: Desk, site: Site, tmp_path: Path) -> None:
    store = site.settings.home / STORE
    airflow_desk.show(lambda: site.settings)
    site.intake.store.engine.dispose()
    store.rename(tmp_path / "away")
    store.mkdir()
    assert "The database is away" in airflow_desk.get("/", 503).text
    store.rmdir()
    (tmp_path / "away").rename(store)
    assert "Nothing has landed yet" in airflow_desk.get("/").text


def test_an_inbox_that_cannot_be_seen_is_said(airflow_desk: Desk, site: Site) -> None:
    site.send("good.sch", b"title|symbols|optionalData\nS|P=50:F=0|\n")
    shutil.rmtree(site.inbox)
    airflow_desk.show(lambda: site.settings)
    assert "cannot be seen from here" in airflow_desk.get("/").text


def test_the_report_for_programs_is_the_page_s_own(desk: Desk, lively: Lively) -> None:
    site, batches = lively
    downloaded = json.loads(desk.get(f"/batches/{batches['rejects']}/report.json").content)
    assert downloaded == site.report(batch(site, batches["rejects"]))
