"""Compares the contracts with the last released ones: which kind of change each is, and whether its version says so.

`python -m tools.contracts_check` checks; with `--release 1.2.0` it keeps a copy of today's contracts as released.
A major change breaks readers (a column gone or of another type, another key), a minor one adds, a patch explains.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from etl.contracts import Column, Contract, contracts
from etl.contracts.released import released, released_folder, releases, version_numbers
from etl.errors import UsageError

Level = Literal["none", "patch", "minor", "major"]
LEVELS: tuple[Level, ...] = ("none", "patch", "minor", "major")


@dataclass(frozen=True, slots=True)
class ContractChange:
    """How one table's contract changed since the last release, and what its version says of it."""

    table: str
    level: Level
    declared: Level
    old_version: str | None
    new_version: str | None
    reasons: tuple[str, ...]

    @property
    def is_declared(self) -> bool:
        """Whether the version has moved at least as far as the change."""
        return LEVELS.index(self.declared) >= LEVELS.index(self.level)

    def sentence(self) -> str:
        """Return the change for a person."""
        told = f"{self.table}: {self.level} change ({'; '.join(self.reasons)})"
        if self.is_declared:
            return f"{told}, version {self.old_version} became {self.new_version}"
        if self.new_version is None:
            return f"{told}; a table may only go with a new release"
        return f"{told}, but version {self.old_version} became {self.new_version}; raise its {self.level} number"


def compare_contracts(old: Mapping[str, Contract], new: Mapping[str, Contract]) -> list[ContractChange]:
    """Return the changes of all contracts that changed, or whose version did."""
    changes = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        level: Level
        declared: Level
        reasons: tuple[str, ...]
        if before is None:
            level, declared, reasons = "minor", "minor", ("table added",)
        elif after is None:
            level, declared, reasons = "major", "none", ("table removed",)
        else:
            level, reasons = _level(before, after)
            declared = _declared(before.version, after.version)
        if level != "none" or declared != "none":
            versions = (before.version if before else None, after.version if after else None)
            changes.append(ContractChange(name, level, declared, *versions, reasons))
    return changes


def _declared(old: str, new: str) -> Level:
    """Return which number of the version moved; one that moved back counts as none."""
    before, after = version_numbers(old), version_numbers(new)
    for level, left, right in zip(("major", "minor", "patch"), before, after, strict=True):
        if left != right:
            return next(known for known in LEVELS if known == level) if right > left else "none"
    return "none"


def _level(old: Contract, new: Contract) -> tuple[Level, tuple[str, ...]]:
    found: list[tuple[Level, str]] = []
    if old.key != new.key:
        found.append(("major", f"key was {', '.join(old.key)}, is {', '.join(new.key)}"))
    if old.partition != new.partition:
        found.append(("major", "files are cut another way"))
    columns = {column.name: column for column in new.columns}
    for column in old.columns:
        found += _column_level(column, columns.get(column.name))
    added = [name for name in new.column_names if name not in old.column_names]
    found += [("minor", f"{name} added") for name in added]
    kept = [name for name in new.column_names if name in old.column_names]
    if kept != [name for name in old.column_names if name in columns]:
        found.append(("minor", "columns in another order"))
    if (old.title, old.description, old.warnings) != (new.title, new.description, new.warnings):
        found.append(("patch", "other words about the table"))
    level: Level = max((one for one, _ in found), key=LEVELS.index, default="none")
    return level, tuple(reason for _, reason in sorted(found, key=lambda one: -LEVELS.index(one[0])))


def _column_level(old: Column, new: Column | None) -> list[tuple[Level, str]]:
    if new is None:
        return [("major", f"{old.name} removed")]
    found: list[tuple[Level, str]] = []
    if old.type != new.type:
        found.append(("major", f"{old.name} was {old.type}, is {new.type}"))
    if old.unit != new.unit:
        found.append(("major", f"{old.name} was in {old.unit}, is in {new.unit}"))
    if new.nullable and not old.nullable:
        found.append(("major", f"{old.name} may be null"))
    if old.nullable and not new.nullable:
        found.append(("minor", f"{old.name} is never null"))
    limits = [(one.values, one.pattern, one.minimum, one.maximum) for one in (old, new)]
    if limits[0] != limits[1]:
        found.append(("minor", f"{old.name} has other values"))
    if old.description != new.description:
        found.append(("patch", f"other words about {old.name}"))
    return found


def check(new: Mapping[str, Contract] | None = None) -> list[ContractChange]:
    """Return the changes since the last release; none before the first."""
    known = releases()
    return compare_contracts(released(known[-1]), new or contracts()) if known else []


def release(version: str, folder: Path | None = None) -> Path:
    """Keep today's contracts as released. Raises UsageError where the release is kept already."""
    version_numbers(version)
    file = (folder or released_folder()) / f"{version}.json"
    if file.exists():
        raise UsageError(f"release {version} is kept already, and what was released never changes")
    file.parent.mkdir(exist_ok=True)
    lines = ",\n".join(
        json.dumps(one.model_dump(exclude_defaults=True), ensure_ascii=False) for one in contracts().values()
    )
    file.write_text(f"[\n{lines}\n]\n", "utf-8")
    return file


def main(arguments: list[str]) -> int:
    """Check, or keep a release. Returns the exit status."""
    if arguments[:1] == ["--release"] and len(arguments) == 2:
        sys.stdout.write(f"kept {release(arguments[1])}\n")
        return 0
    changes = check()
    for change in changes:
        sys.stdout.write(f"{change.sentence()}\n")
    return 0 if all(change.is_declared for change in changes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
