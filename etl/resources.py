"""Finds the folders that travel with the package, in a checkout and in an installed wheel."""

from pathlib import Path

from etl.errors import UsageError


def resource_folder(name: str) -> Path:
    """Return the folder `schemas` or `expectations`.

    Raises UsageError where the package was installed without it.
    """
    package = Path(__file__).parent
    for folder in (package / "_resources" / name, package.parent / name):
        if folder.is_dir():
            return folder
    raise UsageError(f"the folder {name}/ is missing from this installation; install clusterbridge again")
