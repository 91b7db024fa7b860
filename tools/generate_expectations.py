"""Writes the generated part of the suites, keeps what was written by hand: `python -m tools.generate_expectations`."""

from collections.abc import Sequence
from pathlib import Path

from etl.contracts import Contract, contracts
from etl.resources import resource_folder
from etl.validate.suites import Expectation, Suite, generated


def refreshed(table: Contract, written: Sequence[Expectation]) -> Suite:
    """Return a table's suite with its generated part made anew and the hand-written part kept."""
    by_hand = [expectation for expectation in written if expectation.meta.origin == "domain"]
    return Suite(table=table.name, expectations=(*generated(table), *by_hand))


def write_all(folder: Path) -> None:
    """Write the suites of all tables."""
    for table in contracts().values():
        file = folder / f"{table.name}.json"
        written = Suite.model_validate_json(file.read_bytes()).expectations if file.exists() else ()
        file.write_text(refreshed(table, written).to_text(), "utf-8")


if __name__ == "__main__":
    write_all(resource_folder("expectations"))
