"""Contracts say by their version what a change does to readers; generated files are fresh; old forms stay readable."""

import os
from pathlib import Path

import duckdb
import pytest
from snapshot_samples import draft

from etl.contracts import Column, Contract, compatible, contract, contracts
from etl.contracts import released as released_contracts
from etl.contracts.compatible import compatible_views, view
from etl.contracts.usage_warnings import WARNINGS
from etl.errors import UsageError
from etl.publish import publish
from etl.storage import Storage
from tools import contracts_check
from tools.contracts_check import check, compare_contracts, main, release, released, releases
from tools.dictionary import FILE, dictionary

TABLE = contract("region_total")


def altered(version: str = TABLE.version, column: str | None = None, **changes: object) -> Contract:
    """The contract with another version, and other attributes of itself or of one column."""
    if column is None:
        return TABLE.model_copy(update={"version": version, **changes})
    columns = tuple(one.model_copy(update=changes) if one.name == column else one for one in TABLE.columns)
    return TABLE.model_copy(update={"version": version, "columns": columns})


def without(column: str, version: str = TABLE.version) -> Contract:
    return altered(version, columns=tuple(one for one in TABLE.columns if one.name != column))


NEW = Column(name="novelty", type="double", unit=None, nullable=True, description="New.")

MAJOR = {
    "removed": without("payroll"),
    "another type": altered(column="payroll", type="int64"),
    "another unit": altered(column="payroll", unit="thousands"),
    "null where none was": altered(column="employment_status", nullable=True),
    "another key": altered(key=TABLE.key[:-1]),
    "other files": altered(partition=None),
}
MINOR = {
    "added": altered(columns=(*TABLE.columns, NEW)),
    "never null": altered(column="payroll", nullable=False),
    "other values": altered(column="employment_status", values=("reported",)),
    "another order": altered(columns=tuple(reversed(TABLE.columns))),
}
PATCH = {
    "words": altered(description="Other words."),
    "words of a column": altered(column="payroll", description="Other words."),
    "warnings": altered(warnings=()),
}


@pytest.mark.parametrize(
    ("level", "changed"),
    [
        (level, one)
        for level, several in (("major", MAJOR), ("minor", MINOR), ("patch", PATCH))
        for one in several.values()
    ],
)
def test_every_change_is_of_its_kind_and_must_be_declared(level: str, changed: Contract) -> None:
    (change,) = compare_contracts({"region_total": TABLE}, {"region_total": changed})
    assert change.level == level
    assert not change.is_declared and f"raise its {level} number" in change.sentence()
    for version, declared in (("1.0.1", "patch"), ("1.1.0", "minor"), ("2.0.0", "major"), ("0.9.0", "none")):
        told = changed.model_copy(update={"version": version})
        (change,) = compare_contracts({"region_total": TABLE}, {"region_total": told})
        ranks = ("none", "patch", "minor", "major")
        assert change.is_declared is (ranks.index(declared) >= ranks.index(level)), version


def test_tables_come_and_go() -> None:
    (added,) = compare_contracts({}, {"region_total": TABLE})
    assert added.level == "minor" and added.is_declared
    (gone,) = compare_contracts({"region_total": TABLE}, {})
    assert gone.level == "major" and not gone.is_declared and "may only go with a new release" in gone.sentence()
    assert compare_contracts({"region_total": TABLE}, {"region_total": TABLE}) == []


def test_contracts_have_moved_as_far_as_their_versions_say() -> None:
    undeclared = [change.sentence() for change in check() if not change.is_declared]
    assert not undeclared, undeclared


def test_a_column_gone_without_a_major_version_fails_against_what_is_released() -> None:
    assert releases(), "no release is kept; python -m tools.contracts_check --release VERSION keeps one"
    before = released(releases()[-1])["region_total"]
    gone = before.model_copy(update={"columns": before.columns[:-1]})
    (change,) = [one for one in check({**contracts(), "region_total": gone}) if one.table == "region_total"]
    assert change.level == "major" and not change.is_declared


def test_a_release_is_kept_and_never_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in (contracts_check, released_contracts):
        monkeypatch.setattr(module, "released_folder", lambda: tmp_path / "released")
    assert releases() == [] and check() == []
    for version in ("1.10.0", "1.9.0"):
        release(version)
    assert releases() == ["1.9.0", "1.10.0"]
    assert released("1.9.0") == contracts()
    with pytest.raises(UsageError, match=r"release 1.9.0 is kept already"):
        release("1.9.0")
    with pytest.raises(UsageError, match=r"no release 7.0.0 is kept; there are: 1.9.0, 1.10.0"):
        released("7.0.0")
    with pytest.raises(UsageError, match="x is not a version"):
        release("x")
    assert main([]) == 0 and main(["--release", "2.0.0"]) == 0
    now = {**contracts(), "region_total": without("payroll")}
    monkeypatch.setattr(contracts_check, "contracts", lambda: now)
    assert main([]) == 1
    assert "region_total: major change (payroll removed)" in capsys.readouterr().out


def test_views_give_a_table_its_old_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = TABLE.model_copy(
        update={
            "columns": (
                *[one for one in TABLE.columns if one.name not in {"payroll", "is_complete"}],
                Column(name="wages", type="int64", unit=None, nullable=True, description="Old name, old type."),
                Column(name="is_lost", type="bool", unit=None, nullable=True, description="Gone."),
            )
        }
    )
    storage = Storage(tmp_path)
    version = publish(storage, draft("2026-01-01")).version
    os.chdir(tmp_path / "snapshots" / version)
    try:
        connection = duckdb.connect()
        connection.execute(view(old, TABLE.model_copy(update={"version": "2.0.0"}), {"wages": "payroll"}))
        columns = connection.execute("DESCRIBE region_total_v1").fetchall()
        assert [row[0] for row in columns] == old.column_names
        assert {row[0]: row[1] for row in columns}["wages"] == "BIGINT"
        counts = connection.execute("SELECT count(*), count(wages), count(is_lost) FROM region_total_v1").fetchall()
        assert counts[0][0] == 162 and counts[0][1] > 0 and counts[0][2] == 0
    finally:
        os.chdir(Path(__file__).parent)
    text = view(old, TABLE, {"wages": "payroll"})
    assert "CAST(NULL AS BOOLEAN) AS is_lost  -- no longer published" in text


def test_a_major_change_ships_a_view_of_the_form_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (contracts_check, released_contracts):
        monkeypatch.setattr(module, "released_folder", lambda: tmp_path / "released")
    monkeypatch.setattr(compatible, "released_folder", lambda: tmp_path / "released")
    release("1.0.0")
    assert compatible_views() == {}
    newer = {**contracts(), "region_total": without("payroll", "2.0.0")}
    monkeypatch.setattr(compatible, "contracts", lambda: newer)
    assert list(compatible_views()) == ["views/region_total_v1.sql"]
    storage = Storage(tmp_path / "root")
    publish(storage, draft("2026-01-01"))
    assert b"CREATE OR REPLACE VIEW region_total_v1" in storage.read_bytes(
        "snapshots/2026-01-01/views/region_total_v1.sql"
    )


def test_the_dictionary_is_fresh() -> None:
    assert FILE.read_text("utf-8") == dictionary(), "docs/dictionary.md is stale; run python -m tools.dictionary"


def test_the_dictionary_describes_every_column_of_every_table() -> None:
    text = dictionary()
    for table in contracts().values():
        section = text.split(f"\n## {table.name}\n")[1].split("\n## ")[0]
        assert all(f"| `{name}` |" in section for name in table.column_names)
        assert all(WARNINGS[name] in section for name in table.warnings)


def test_warnings_are_a_closed_list_all_of_which_is_used() -> None:
    used = {name for table in contracts().values() for name in table.warnings}
    assert used == set(WARNINGS)


def test_the_same_name_means_the_same_everywhere() -> None:
    kinds: dict[str, set[tuple[str, str | None]]] = {}
    for table in contracts().values():
        for column in table.columns:
            kinds.setdefault(column.name, set()).add((column.type, column.unit))
    assert not {name: found for name, found in kinds.items() if len(found) > 1}
