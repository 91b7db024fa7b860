"""What a step hands over, held against what the next one made of it: nothing is lost between them."""

import pyarrow as pa
import pyarrow.compute as pc

from etl.columns import plain
from etl.errors import ConservationError
from etl.sources.naics_codes import LEVELS, WITHOUT_DETAIL

MEASURES = ("employment", "employment_reported", "establishments", "payroll")
_AMERICAN_PARENTS = LEVELS[1:-1]
TOLERANCE = 1e-9

_Sums = dict[tuple[str, str], float]


def require_printed_figures_kept(before: pa.Table, after: pa.Table, what: str) -> None:
    """Raise ConservationError unless the printed employment of each region scheme is the same in both.

    `before`, `after`: rows of region_industry; the step between them may complete figures, never change printed ones.
    """
    names = ("employment_reported",)
    _require_equal(_sums(before, names), _sums(after, names), f"{what}: printed figures before and after estimation")


def require_leaves_placed(cells: pa.Table, ledger: pa.Table, what: str) -> None:
    """Raise ConservationError unless everything that the leaves of `cells` hold came out of the step to clusters.

    `cells`: rows of region_industry; leaves that are not allocated stay so and are left aside. So are American parents
    below which nothing is published: no cluster is theirs. `ledger`: rows of conservation_ledger of the same
    source-year.
    """
    named = plain(cells.select(["industry_level", "industry_code"]))
    is_parent = pc.and_(
        pc.is_in(named.column("industry_level"), pa.array(_AMERICAN_PARENTS)),
        pc.invert(pc.is_in(named.column("industry_code"), pa.array(sorted(WITHOUT_DETAIL)))),
    )
    is_unallocated = pc.or_(is_parent, pc.is_in(named.column("industry_level"), pa.array(["not_allocated", "total"])))
    leaves = cells.filter(pc.and_(cells.column("is_leaf"), pc.invert(is_unallocated)))
    rows = [row for row in ledger.to_pylist() if row["step"] == "industries_to_clusters"]
    out = {(row["region_scheme"], row["measure"]): row["amount_out"] for row in rows}
    _require_equal(_sums(leaves, MEASURES), out, f"{what}: leaves of industries and their clusters")


def _sums(rows: pa.Table, names: tuple[str, ...]) -> _Sums:
    """Sums by region scheme and measure; nothing known sums to 0."""
    table = plain(rows.select(["region_scheme", *names]))
    made = table.group_by("region_scheme").aggregate([(name, "sum") for name in names])
    return {(row["region_scheme"], name): float(row[f"{name}_sum"] or 0) for row in made.to_pylist() for name in names}


def _require_equal(left: _Sums, right: _Sums, what: str) -> None:
    for key in sorted(left.keys() | right.keys()):
        one, other = left.get(key, 0.0), right.get(key, 0.0)
        if abs(one - other) > TOLERANCE * max(1.0, abs(one), abs(other)):
            scheme, measure = key
            raise ConservationError(
                f"{what} hold {one:,.6g} and {other:,.6g} of {measure} in {scheme}; something was lost or made up"
            )
