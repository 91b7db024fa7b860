"""The grade of a figure, from its bounds and from how much of it is the cluster's own."""

import numpy as np
from numpy.typing import NDArray

from etl.measure.quantiles import Floats

# Half-width of the bounds over the figure up to which a grade is given.
WITHIN_B = 0.10
WITHIN_C = 0.35
OWN_SHARE_C = 0.50


def grade_of(employment: Floats, low: Floats, high: Floats, own_share: Floats) -> NDArray[np.object_]:
    """A exact, B within 10 %, C within 35 % or at least half the cluster's own, D otherwise; None without a figure.

    An unknown bound is no bound; an unknown own share is none.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        half_width = (high - low) / 2 / employment
    grade = np.full(employment.shape, "D", object)
    grade[(half_width <= WITHIN_C) | (own_share >= OWN_SHARE_C)] = "C"
    grade[half_width <= WITHIN_B] = "B"
    grade[high == low] = "A"
    grade[np.isnan(employment)] = None
    return grade
