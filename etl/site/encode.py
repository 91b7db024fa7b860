"""How figures travel to the browser: columns as strings, packed into scripts that open from a disk as from a server.

A browser reads no data file beside a page that was opened from a disk, but it does run a script: each data file is one
call that hands over its content, gzip in base64. The packer is Arrow's, so that the bytes depend on the lock alone.
"""

import base64
import json
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pyarrow as pa

#: Letters for a figure's status; the page has the same list.
STATUS_LETTERS = {
    "reported": "r",
    "noised": "n",
    "rounded": "o",
    "derived_exactly": "x",
    "bounded": "b",
    "estimated": "e",
    "modelled": "m",
    "withheld": "w",
}
UNKNOWN = "."

_gzip = pa.Codec("gzip", compression_level=6)


def persons(values: np.ndarray) -> str:
    """Persons or establishments, whole where there are ten or more; a fraction of one stays more than nothing."""
    return _joined(values, lambda value: f"{value:.0f}" if abs(value) >= 10 else f"{value:.2g}")


def bounds(values: np.ndarray) -> str:
    """Ends of bands and bounds in persons, to three significant digits."""
    return _joined(values, lambda value: f"{float(f'{value:.3g}'):.0f}" if abs(value) >= 100 else f"{value:.3g}")


def ratio(values: np.ndarray) -> str:
    """Quotients, shares and scores to three significant digits."""
    return _joined(values, lambda value: f"{value:.3g}")


def rate(values: np.ndarray) -> str:
    """Rates to a tenth of a percent."""
    return _joined(values, lambda value: f"{value:.3f}".rstrip("0").rstrip("."))


def _joined(values: np.ndarray, text: Callable[[float], str]) -> str:
    """Numbers joined by commas; nothing between two commas is an unknown one."""
    return ",".join("" if math.isnan(value) else text(value + 0.0) for value in values.tolist())


def letters(values: Iterable[str | None], mapping: dict[str, str] | None = None) -> str:
    """One letter each; a full stop for an unknown one."""
    if mapping is None:
        return "".join(value or UNKNOWN for value in values)
    return "".join(mapping[value] if value is not None else UNKNOWN for value in values)


def data_file(name: str, content: Any) -> bytes:
    """A script that hands content (as JSON has it) to the page under a name."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    packed = base64.b64encode(_gzip.compress(text, asbytes=True)).decode()
    return f'Clusterbridge.receive("{name}","{packed}");\n'.encode()
