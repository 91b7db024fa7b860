"""Options that several verbs share, and how their text becomes values."""

import re
from datetime import UTC, date, datetime
from typing import Annotated

import typer

from etl.errors import UsageError

Data = Annotated[
    str | None,
    typer.Option("--data", help="Data root: a folder or s3://bucket/prefix (default CLUSTERBRIDGE_DATA or ./data)."),
]
Years = Annotated[str | None, typer.Option("--years", help="Years to ask the publishers for: 2019-2021 or 2019.")]
Datasets = Annotated[str | None, typer.Option("--datasets", help="Datasets to ask for, separated by commas.")]
Mirror = Annotated[str | None, typer.Option("--mirror", help="Folder or address that stands in for the publishers.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]

FIRST_YEAR, LAST_YEAR = 1990, 2100


def years_of(text: str | None) -> tuple[int, ...] | None:
    """Read `2019`, `2019-2021` or `2005,2009-2011`. Raises UsageError for anything else."""
    if text is None:
        return None
    years: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{4})(?:\s*-\s*(\d{4}))?\s*", part)
        if not match:
            raise UsageError(f"--years {text}: write one year (2019), a range (2019-2021) or both joined by commas")
        first, last = int(match[1]), int(match[2] or match[1])
        if first > last:
            raise UsageError(f"--years {text}: the range runs backwards; write {last}-{first}")
        if not FIRST_YEAR <= first <= last <= LAST_YEAR:
            raise UsageError(f"--years {text}: years lie between {FIRST_YEAR} and {LAST_YEAR}")
        years.update(range(first, last + 1))
    return tuple(sorted(years))


def datasets_of(text: str | None) -> tuple[str, ...] | None:
    """Read a list of datasets. Raises UsageError naming those that are not there."""
    if text is None:
        return None
    from etl.sources import DATASETS

    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in DATASETS]
    if unknown or not names:
        raise UsageError(f"no dataset is called {', '.join(unknown) or text!r}; there are: {', '.join(DATASETS)}")
    return names


def day_of(text: str | None, option: str) -> date | None:
    """Read a day as YYYY-MM-DD that is not in the future. Raises UsageError."""
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text}: write the day as YYYY-MM-DD") from None
    if day > today():
        raise UsageError(f"{option} {text}: that day is still to come")
    return day


def today() -> date:
    """Today in UTC, the snapshot date of a run that names none."""
    return datetime.now(UTC).date()


def data_root(text: str | None) -> str:
    """The data root asked for, or the one of the settings."""
    from etl.settings import Settings

    return text or str(Settings().data)
