"""Which years the gate looks at, and that several processes find what one finds."""

import shutil
from dataclasses import replace

import pytest
from line_cases import DAY, Line

import etl.run.checked_publishing
from etl.progress import SilentProgress
from etl.publish import newest_manifest, part_path, part_year
from etl.run.checked_publishing import check
from etl.run.refresh import MeasuredSnapshot, measure_state
from etl.settings import Settings
from etl.storage import Storage
from etl.validate import GateReport
from etl.validate.report import FAILING_SCHEMA


@pytest.fixture(scope="module")
def measured(line: Line, tmp_path_factory: pytest.TempPathFactory) -> tuple[Storage, MeasuredSnapshot]:
    """What the root holds, measured again from its own cache, in a copy."""
    root = tmp_path_factory.mktemp("copied") / "root"
    shutil.copytree(line.root, root)
    settings = Settings(data=str(root), workers=1)
    storage = Storage(str(root))
    return storage, measure_state(storage, DAY, settings, SilentProgress(), is_invented=True)


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """The years that are checked, instead of checking them."""
    years: list[int | None] = []

    def note(_storage: object, _parts: object, year: int | None, *_rest: object) -> GateReport:
        years.append(year)
        return GateReport((), 0, FAILING_SCHEMA.empty_table())

    monkeypatch.setattr(etl.run.checked_publishing, "_check_year", note)
    return years


def test_only_years_with_other_bytes_are_looked_at(
    measured: tuple[Storage, MeasuredSnapshot], looked_at: list[int | None]
) -> None:
    storage, found = measured
    newest = newest_manifest(storage)
    assert newest is not None
    empty = [path for path, part in found.assembled.parts.items() if not part.rows and part_year(path) is not None]
    assert empty, "the case has no table that is empty in some year"
    check(storage, found.assembled, newest, SilentProgress())
    assert looked_at == [None]

    looked_at.clear()
    path = part_path("region_cluster", 2016)
    other = replace(found.assembled.parts[path], sha256="0" * 64)
    check(
        storage,
        replace(found.assembled, parts={**found.assembled.parts, path: other}),
        newest,
        SilentProgress(),
    )
    assert looked_at == [None, 2016]


def test_all_years_are_looked_at_where_nothing_was_published(
    measured: tuple[Storage, MeasuredSnapshot], looked_at: list[int | None]
) -> None:
    storage, found = measured
    years = {year for path in found.assembled.parts if (year := part_year(path)) is not None}
    check(storage, found.assembled, None, SilentProgress())
    assert looked_at == [None, *sorted(years)]


@pytest.mark.parametrize("name", ["cluster", "region", "source"])
def test_all_years_are_looked_at_where_what_they_refer_to_changed(
    measured: tuple[Storage, MeasuredSnapshot], looked_at: list[int | None], name: str
) -> None:
    storage, found = measured
    other = replace(found.assembled.parts[part_path(name)], sha256="0" * 64)
    parts = {**found.assembled.parts, part_path(name): other}
    check(storage, replace(found.assembled, parts=parts), newest_manifest(storage), SilentProgress())
    assert looked_at == [None, 2016, 2019]


def test_rows_that_are_gone_are_a_change(
    measured: tuple[Storage, MeasuredSnapshot], looked_at: list[int | None]
) -> None:
    storage, found = measured
    path = part_path("region_cluster", 2016)
    emptied = replace(found.assembled.parts[path], sha256="0" * 64, rows=0)
    parts = {**found.assembled.parts, path: emptied}
    check(storage, replace(found.assembled, parts=parts), newest_manifest(storage), SilentProgress())
    assert looked_at == [None, 2016]


def test_two_processes_find_what_one_finds(measured: tuple[Storage, MeasuredSnapshot]) -> None:
    storage, found = measured
    one, two = (check(storage, found.assembled, None, SilentProgress(), workers) for workers in (1, 2))
    assert one.as_json() == two.as_json()
    assert one.result == two.result and one.result.executed > 0
