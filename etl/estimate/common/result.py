"""What the estimate of one source-year gives back."""

from dataclasses import dataclass, field

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Estimated:
    """`cells` (region_industry, completed), `quality` (estimate_quality), `contradictions` (contradiction), each by the
    columns of its contract; `notes`: sentences for the run's summary."""

    cells: pa.Table
    quality: pa.Table
    contradictions: pa.Table
    notes: list[str] = field(default_factory=list)
