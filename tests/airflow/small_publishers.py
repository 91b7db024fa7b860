"""The demo's publishers cut down to what a few seconds can build: the American nation, European countries."""

import csv
import re
from pathlib import Path

from etl.demo import write_publishers

KEPT = re.compile(r"cbp19(us|st)\.zip|SBS_R_NUTS06_R2")
COUNTRIES = re.compile(rb"[^,]+,[^,]+,[^,]+,([A-Z]{2}\t|geo)")


def write_small_publishers(folder: Path) -> Path:
    """Write the files and their index into `folder`, and return it."""
    write_publishers(folder)
    index = folder / "index.csv"
    with index.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    kept = [row for row in rows if KEPT.search(row["url"])]
    with index.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(kept)
    for row in kept:
        if row["path"].endswith(".tsv"):
            lines = (folder / row["path"]).read_bytes().splitlines(keepends=True)
            (folder / row["path"]).write_bytes(b"".join(line for line in lines if COUNTRIES.match(line)))
    return folder
