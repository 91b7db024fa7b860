"""What the gate found: counts for the manifest, sentences for people, the keys of the rows for whoever repairs them."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from etl.errors import GateError
from etl.publish.manifest import GateResult
from etl.storage import Storage
from etl.storage.checksummed import json_bytes

FAILING_SCHEMA = pa.schema(
    [
        pa.field("table_name", pa.string(), nullable=False),
        pa.field("year", pa.int16()),
        pa.field("expectation", pa.string(), nullable=False),
        pa.field("severity", pa.string(), nullable=False),
        pa.field("row_key", pa.string()),
        pa.field("row", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class Checked:
    """One expectation after it was executed."""

    table: str
    year: int | None
    expectation: str
    kwargs: dict[str, Any]
    severity: Literal["critical", "warning"]
    protects: str
    is_met: bool
    failing_rows: int

    @property
    def sentence(self) -> str:
        """What failed, for a person."""
        of_year = "" if self.year is None else f" of {self.year}"
        return f"{self.table}{of_year}: {self.expectation} fails in {self.failing_rows:,} rows. {self.protects}"


@dataclass(frozen=True, slots=True)
class GateReport:
    """Everything the gate executed, and the keys of rows that are against it (at most so many per expectation).

    `failing` has the columns of `FAILING_SCHEMA`: `row_key` joins the values of the table's key by a bar, `row` holds
    what the check found, as JSON.
    """

    checked: tuple[Checked, ...]
    declared: int
    failing: pa.Table

    @property
    def executed(self) -> int:
        """Number of expectations executed."""
        return len(self.checked)

    @property
    def is_passed(self) -> bool:
        """Whether no critical expectation failed."""
        return not self.failures("critical")

    def failures(self, severity: Literal["critical", "warning"]) -> list[Checked]:
        """Return the expectations of a severity that failed, those with most rows first."""
        found = [one for one in self.checked if not one.is_met and one.severity == severity]
        return sorted(found, key=lambda one: -one.failing_rows)

    @property
    def result(self) -> GateResult:
        """What the manifest says of the gate."""
        warnings = tuple(one.sentence for one in self.failures("warning"))
        return GateResult(declared=self.declared, executed=self.executed, warnings=warnings)

    def as_json(self) -> bytes:
        """Return all results as JSON, without any time: equal tables, equal bytes."""
        rows = [
            {
                "table": one.table,
                "year": one.year,
                "expectation": one.expectation,
                "kwargs": one.kwargs,
                "severity": one.severity,
                "protects": one.protects,
                "is_met": one.is_met,
                "failing_rows": one.failing_rows,
            }
            for one in self.checked
        ]
        counts = {"is_passed": self.is_passed, "declared": self.declared, "executed": self.executed}
        return json_bytes({**counts, "expectations": rows})

    def failing_parquet(self) -> bytes:
        """Return the failing rows as a Parquet file."""
        sink = io.BytesIO()
        pq.write_table(self.failing, sink, compression="zstd")
        return sink.getvalue()

    def stop_if_failed(self, storage: Storage, folder: str) -> None:
        """Raise GateError where a critical expectation failed, after keeping the report and the rows in `folder`."""
        failures = self.failures("critical")
        if not failures:
            return
        storage.write(f"{folder}/failing.parquet", self.failing_parquet())
        storage.write(f"{folder}/result.json", self.as_json())
        more = f" {len(failures) - 3} more expectations fail." if len(failures) > 3 else ""
        told = " ".join(one.sentence for one in failures[:3])
        raise GateError(
            f"nothing was published, the gate refuses it. {told}{more} The rows are in {storage.root}/{folder}/"
            "failing.parquet"
        )


def merged(reports: Iterable[GateReport]) -> GateReport:
    """Return one report over several, as from the years of a run."""
    several: Sequence[GateReport] = list(reports)
    return GateReport(
        tuple(one for report in several for one in report.checked),
        sum(report.declared for report in several),
        pa.concat_tables([report.failing for report in several]) if several else FAILING_SCHEMA.empty_table(),
    )
