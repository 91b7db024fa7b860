"""Why a figure is null, kept beside it; the first reason that was found stands."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

NOT_A_CLUSTER = "not a cluster"
LOCAL_CLUSTER = "local clusters get no flag"
REGION_INCOMPLETE = "parts of the region are missing from the source-year"
WITHHELD = "employment is withheld"
CLASS_WITHHELD = "another cluster of the region's class is withheld"
COVERED_TOTAL_WITHHELD = "another cluster of the region is withheld"
NO_NATION = "the source-year has no national figures"
NATION_WITHHELD = "the national figure is withheld"
NATION_CLASS_WITHHELD = "a national figure of the same class is withheld"
NATION_GRADE = "the national figure is below grade C"
GRADE = "below grade C"
NOT_COMPARED = "not one of the 50 states"
REMAINDER = "not a place: what the publisher could not allocate"
SET_INCOMPLETE = "comparison set incomplete"
NO_REFERENCE = "no reference area"
ZERO_DENOMINATOR = "a denominator is zero"
NOT_COVERED = "not covered by the source"
COVERAGE_UNKNOWN = "the coverage of a source is unknown"
NO_BOUNDS = "no bounds to draw from"
NO_ESTABLISHMENTS = "the source has no establishments: their floor is skipped"
ESTABLISHMENTS_WITHHELD = "the number of establishments is withheld"


class Reasons:
    """A matrix of reasons that fills up in order of precedence."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        """`shape`: regions and clusters."""
        self.codes: NDArray[np.int32] = np.zeros(shape, np.int32)
        self._texts: list[str | None] = [None]

    def add(self, where: NDArray[np.bool_] | bool, text: str) -> None:
        """Give this reason wherever `where` (broadcast to the shape) holds and none stands yet."""
        if text not in self._texts:
            self._texts.append(text)
        mask = np.broadcast_to(where, self.codes.shape) & (self.codes == 0)
        self.codes[mask] = self._texts.index(text)

    def take_over(self, other: "Reasons") -> None:
        """Add the reasons of another matrix where none stands yet."""
        for code, text in enumerate(other._texts):
            if text is not None:
                self.add(other.codes == code, text)

    @property
    def none(self) -> NDArray[np.bool_]:
        """Where no reason stands."""
        found: NDArray[np.bool_] = self.codes == 0
        return found

    def column(self, cell: NDArray[np.int64]) -> pa.Array:
        """The reasons of these flattened cells as a text column, null where there is none."""
        positions = self.codes.reshape(-1)[cell]
        values = pa.array([text or "" for text in self._texts], pa.string())
        return pa.DictionaryArray.from_arrays(pa.array(positions, mask=positions == 0), values)
