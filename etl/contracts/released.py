"""The contracts as they were released: what a change is compared with."""

import json
import re
from pathlib import Path

from etl.contracts.model import Contract
from etl.errors import UsageError
from etl.resources import resource_folder


def released_folder() -> Path:
    """Where the contracts of releases are kept, one file a release."""
    return resource_folder("schemas") / "released"


def releases() -> list[str]:
    """Versions of all releases, oldest first."""
    names = [file.stem for file in released_folder().glob("*.json")] if released_folder().is_dir() else []
    return sorted(names, key=version_numbers)


def released(version: str) -> dict[str, Contract]:
    """Contracts as they were released. Raises UsageError for a release that is not there."""
    file = released_folder() / f"{version}.json"
    if not file.is_file():
        raise UsageError(f"no release {version} is kept; there are: {', '.join(releases()) or 'none yet'}")
    return {row["name"]: Contract.model_validate(row) for row in json.loads(file.read_text("utf-8"))}


def version_numbers(version: str) -> tuple[int, int, int]:
    """Major, minor and patch number. Raises UsageError for no semantic version."""
    match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", version)
    if match is None:
        raise UsageError(f"{version} is not a version; one is written 1.2.0")
    return int(match[1]), int(match[2]), int(match[3])
