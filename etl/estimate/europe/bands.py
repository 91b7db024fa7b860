"""80 % bands of completed European cells: estimate ± q × √((estimate + 5) × width of the bounds).

q comes from cells held out in the same source-year. Bands of the classes that divisions are spread over follow
`etl.uncertainty.composition`.
"""

import numpy as np

from etl.estimate.common.tree import Floats

#: Share of truths that bands are made to hold.
LEVEL = 0.8

#: q where too few cells could be held out: the value of 2015.
DEFAULT_Q = 0.45
_SMALL = 5.0


def completed(value: Floats, low: Floats, high: Floats, q: Floats | float) -> tuple[Floats, Floats]:
    """Ends of the band of completed cells, within their bounds; the cell itself where the bounds meet."""
    half = q * completed_scale(value, low, high)
    return np.maximum(value - half, low), np.minimum(value + half, high)


def completed_scale(value: Floats, low: Floats, high: Floats) -> Floats:
    """What q multiplies; an unknown upper bound counts as ten times the estimate."""
    width = np.where(np.isfinite(high), high, 10.0 * (value + _SMALL)) - low
    result: Floats = np.sqrt((value + _SMALL) * np.maximum(width, 0.0))
    return result


def interval(hits: int, cells: int, z: float = 2.576) -> tuple[float, float]:
    """Wilson's interval of a share, 99 % by default; 0 to 1 without cells."""
    if cells == 0:
        return 0.0, 1.0
    share = hits / cells
    centre = share + z * z / (2 * cells)
    spread = z * np.sqrt(share * (1 - share) / cells + z * z / (4 * cells * cells))
    scale = 1 + z * z / cells
    return float((centre - spread) / scale), float((centre + spread) / scale)
