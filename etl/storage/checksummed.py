"""Small files of ours that say themselves whether a byte of them has changed since they were written."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from etl.errors import IntegrityError


def json_bytes(content: object) -> bytes:
    """JSON with sorted keys and a line end: equal content, equal bytes."""
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def with_checksum(content: Mapping[str, Any]) -> bytes:
    """Serialise with one more field: `checksum` is the SHA-256 of all the rest."""
    checksum = hashlib.sha256(json_bytes(content)).hexdigest()
    return json_bytes({**content, "checksum": checksum})


def verified_json(data: bytes, path: str) -> dict[str, Any]:
    """Read what `with_checksum` wrote. Raises IntegrityError naming `path` where a single byte is not as written."""
    try:
        content: dict[str, Any] = json.loads(data)
        content.pop("checksum")
        if data != with_checksum(content):
            raise ValueError("its checksum does not fit")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise IntegrityError(f"{path} is damaged ({str(error).splitlines()[0]})") from error
    return content
