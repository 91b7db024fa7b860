"""Brings the parts of a draft to their place in a version, and refuses bytes that are not theirs."""

from pathlib import Path

from etl.errors import IntegrityError
from etl.publish.draft import Part
from etl.storage import Storage


class DamagedPartError(IntegrityError):
    """A part of a draft is gone or not what it says; `path`: where in the data root its bytes were to come from."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path} {what}; nothing was published, run again")
        self.path = path


def write_part(storage: Storage, target: str, part: Part) -> None:
    """Bring a part to its place: written, or linked where the data root holds it already."""
    if isinstance(part.source, bytes):
        storage.write(target, part.source)
    elif isinstance(part.source, Path):
        storage.put_file(target, part.source)
    else:
        try:
            storage.copy(part.source, target)
        except FileNotFoundError as error:
            raise DamagedPartError(part.source, "is gone") from error


def check_part(part: Part, digest: str, path: str) -> None:
    """Refuse bytes that are not the part's: a linked file may have been damaged since, and nothing is built on it."""
    if digest != part.sha256:
        where = path if isinstance(part.source, bytes) else str(part.source)
        raise DamagedPartError(where, f"is damaged: its SHA-256 is {digest}, not {part.sha256}")
