"""The conservation ledger: what went into a step, what came out, and what had no target."""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from etl.contracts import contract
from etl.errors import ConservationError

TOLERANCE = 1e-9
"""Relative difference at which amounts no longer count as conserved."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What went in, came out under a target code, and had no target, in the unit of the amounts."""

    amount_in: float
    amount_out: float
    amount_unmapped: float

    @property
    def difference(self) -> float:
        """`amount_in` less the two others."""
        return self.amount_in - self.amount_out - self.amount_unmapped

    def check(self, scale: float, what: str) -> None:
        """Raise ConservationError if the difference exceeds 1e-9 of `scale`, the sum of absolute amounts."""
        if not abs(self.difference) <= TOLERANCE * scale:
            raise ConservationError(
                f"{what}: {self.amount_in:,.6f} went in, {self.amount_out:,.6f} came out and "
                f"{self.amount_unmapped:,.6f} had no target; {self.difference:,.6f} is unaccounted for"
            )


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """An entry with its place: the step, the region scheme that went in, and the measure by its column name."""

    step: str
    region_scheme: str
    measure: str
    entry: LedgerEntry


def ledger_table(lines: Iterable[LedgerLine], source: str, year: int) -> pa.Table:
    """The lines of one source-year, by the contract of table conservation_ledger."""
    rows = [
        {
            "step": line.step,
            "source": source,
            "year": year,
            "region_scheme": line.region_scheme,
            "measure": line.measure,
            "amount_in": line.entry.amount_in,
            "amount_out": line.entry.amount_out,
            "amount_unmapped": line.entry.amount_unmapped,
            "difference": line.entry.difference,
        }
        for line in lines
    ]
    table = contract("conservation_ledger")
    return table.conform(pa.Table.from_pylist(rows)) if rows else table.empty()
