"""The borders between the packages: imports point one way, and no module grows out of sight."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PACKAGE = PROJECT / "include" / "gradeway"
# From the ground up: a part may import from parts below its own.
LAYERS = (
    ("reasons", "outcomes", "clock", "redact", "words"),
    ("errors",),
    ("store_url",),
    ("settings", "mappings"),
    ("store", "feeds", "vendors", "sandbox"),
    ("landing", "checks"),
    ("loading", "sessions", "results", "custody", "publish"),
    ("intake",),
    ("cli", "orchestration"),
    ("demo",),
)
WITH_AIRFLOW = {"orchestration"}
LONGEST = 400
CATALOGUES = {"include/gradeway/reasons.py"}  # looked up, not read from end to end
LONGEST_DAG = 80


def part(path: Path) -> str:
    """Return the part of the package that a module belongs to."""
    inside = path.relative_to(PACKAGE)
    return inside.parts[0] if len(inside.parts) > 1 else inside.stem


def imports(path: Path) -> Iterator[str]:
    """Yield the full name of everything that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def edges() -> Iterator[tuple[Path, str, str]]:
    """Yield every import from one part of the package to another."""
    for path in modules():
        for name in imports(path):
            words = name.split(".")
            if words[0] == "gradeway" and len(words) > 1 and words[1] not in {part(path), "__version__"}:
                yield path, part(path), words[1]


RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}


def test_every_part_has_its_place() -> None:
    assert {part(path) for path in modules()} - {"__init__"} == set(RANK)


def test_imports_point_down() -> None:
    wrong = [f"{path.relative_to(PROJECT)} imports {to}" for path, of, to in edges() if RANK[to] >= RANK[of]]
    assert wrong == []


def test_there_are_edges_to_look_at() -> None:
    found = {(of, to) for _, of, to in edges()}
    assert {("intake", "loading"), ("loading", "store"), ("store", "reasons"), ("cli", "intake")} <= found


def test_modules_of_a_part_do_not_import_in_circles() -> None:
    names = {path: ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in modules()}
    known = {name.removesuffix(".__init__") for name in names.values()}
    graph = {
        name.removesuffix(".__init__"): {
            next(end for end in (found, found.rpartition(".")[0]) if end in known)
            for found in imports(path)
            if found in known or found.rpartition(".")[0] in known
        }
        - {name.removesuffix(".__init__")}
        for path, name in names.items()
    }
    assert len(list(TopologicalSorter(graph).static_order())) >= len(modules())


def test_only_orchestration_knows_airflow() -> None:
    users = {part(path) for path in modules() if any(name.split(".")[0] == "airflow" for name in imports(path))}
    assert users == WITH_AIRFLOW


def test_the_command_line_does_not_need_airflow() -> None:
    assert not [path for path, of, to in edges() if of in {"cli", "intake"} and to in WITH_AIRFLOW]


@pytest.mark.parametrize("folder", ["include", "dags", "plugins"])
def test_no_module_is_longer_than_a_reader_can_hold(folder: str) -> None:
    lengths = {
        str(path.relative_to(PROJECT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in (PROJECT / folder).rglob("*.py")
    }
    assert lengths
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST and path not in CATALOGUES} == {}


def test_a_dag_file_is_a_table_of_contents() -> None:
    files = sorted((PROJECT / "dags").glob("*.py"))
    assert files
    assert [file.name for file in files if len(file.read_text().splitlines()) > LONGEST_DAG] == []


def test_below_orchestration_only_the_clock_reads_the_time() -> None:
    readers = {"now", "utcnow", "today"}
    found = [
        f"{path.relative_to(PROJECT)}:{node.lineno}"
        for path in modules()
        if path.name != "clock.py" and part(path) not in WITH_AIRFLOW
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in readers
        and isinstance(node.value, ast.Name)
        and node.value.id in {"datetime", "date"}
    ]
    assert found == []


def test_no_float_stands_between_a_file_and_the_store() -> None:
    guarded = [path for path in modules() if part(path) in {"feeds", "loading", "store"}]
    found = [
        f"{path.relative_to(PROJECT)}:{node.lineno}"
        for path in guarded
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Name) and node.id == "float")
        or (isinstance(node, ast.Constant) and isinstance(node.value, float))
    ]
    assert guarded
    assert found == []


def test_no_two_test_files_have_one_name() -> None:
    """Or pytest takes one for the other where all are collected, and only there."""
    names = Counter(path.name for path in (PROJECT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
