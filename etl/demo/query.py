"""A first query over a snapshot, with its answer: one cluster on both sides of the Atlantic."""

from pathlib import Path

import duckdb

from etl.publish import latest_version
from etl.storage import Storage

QUERY = """\
SELECT c.region_code, r.region_name, c.employment, c.location_quotient, c.is_strong, c.grade
FROM '{common}' AS c
JOIN '{region}' AS r USING (region_scheme, region_code, region_vintage)
WHERE c.level = 'L' AND c.variant = 'full' AND c.year = 2019 AND c.cluster_code = 4
  AND c.location_quotient IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY r.country_code = 'US' ORDER BY c.location_quotient DESC) <= 3
ORDER BY c.location_quotient DESC
"""


def first_query(storage: Storage) -> str:
    """The text of the query and its answer, as a person would type and see them in DuckDB."""
    folder = Path(storage.root) / "snapshots" / str(latest_version(storage))
    query = QUERY.format(
        common=folder / "region_cluster_common" / "*.parquet", region=folder / "region" / "region.parquet"
    )
    with duckdb.connect() as connection:
        answer = connection.sql(query)
        names, rows = answer.columns, answer.fetchall()
    lines = [f"{'':2}".join(_cells(names))] + [f"{'':2}".join(_cells(row)) for row in rows]
    title = "The automotive cluster in 2019, the three most specialised regions of each side (invented figures):"
    return "\n".join(["", title, "", query, *lines])


def _cells(row: tuple[object, ...] | list[str]) -> list[str]:
    widths = (11, 34, 12, 17, 9, 5)
    texts = [f"{value:,.2f}" if isinstance(value, float) else str(value) for value in row]
    return [text[:width].ljust(width) for text, width in zip(texts, widths, strict=True)]
