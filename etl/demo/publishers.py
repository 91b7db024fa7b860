"""Lays the invented figures out as a folder that the mirror server can send, by publisher's address."""

import csv
import hashlib
from pathlib import Path

from etl.demo.american import PORTAL_YEAR, cluster_mapping, county_business_patterns
from etl.demo.european import structural_business_statistics
from etl.demo.organisations import organisation_files

DEMO_YEARS = (PORTAL_YEAR, 2019)
CONTENT_TYPES = {
    "zip": "application/zip",
    "tsv": "text/tab-separated-values",
    "json": "application/json",
    "csv": "text/csv",
}


def write_publishers(folder: Path) -> Path:
    """Write the invented files and their index into `folder`, and return it. The same bytes on every machine."""
    files = cluster_mapping() | structural_business_statistics(DEMO_YEARS) | organisation_files()
    for year in DEMO_YEARS:
        files |= county_business_patterns(year)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as index:
        rows = csv.writer(index)
        rows.writerow(["url", "path", "content_type", "gzipped", "bytes", "sha256", "origin", "note"])
        for number, (url, body) in enumerate(sorted(files.items())):
            kind = _kind(url, body)
            path = f"{url.split('/')[2]}/{number:03d}.{kind}"
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(body)
            digest = hashlib.sha256(body).hexdigest()
            rows.writerow([url, path, CONTENT_TYPES[kind], 0, len(body), digest, "invented", "invented figures"])
    return folder


def _kind(url: str, body: bytes) -> str:
    if url.endswith(".csv"):
        return "csv"
    return "zip" if body[:2] == b"PK" else "json" if body[:1] == b"[" else "tsv"
