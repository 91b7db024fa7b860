"""Concordances: weighted links between two lists of codes, and the small algebra over them.

A concordance is a row-stochastic matrix with provenance: the weights of one source code sum to 1. A link may be a
*break*, without a weight (NaN): what the known weights of its source code leave over has no target and is kept aside.
Applying a concordance moves amounts, and says which links it used and what went in, came out and was kept aside.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import sparse

from etl import columns
from etl.errors import DataError
from etl.harmonise.arrays import Booleans, Floats, Integers, Strings, repeat, sums
from etl.harmonise.ledger import TOLERANCE, LedgerEntry

METHODS = ("unique", "equal", "population", "employment", "dominant")
"""From the least judgement to the most; a composed link takes the strongest of its parts."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Rows repeated once for every link with a weight; `row`, `link` and `target` are positions."""

    row: Integers
    link: Integers
    target: Integers
    weight: Floats


@dataclass(frozen=True, slots=True)
class Applied:
    """The result of applying a concordance.

    `amounts`: groups × targets, in the order of `Concordance.targets`; `unmapped`: what each group keeps aside;
    `unmapped_codes`: codes that hold it; `links`: positions of the links that carried an amount; `ledger`: the totals.
    """

    amounts: Floats
    unmapped: Floats
    unmapped_codes: tuple[str, ...]
    links: Integers
    ledger: LedgerEntry


@dataclass(frozen=True)
class Concordance:
    """Links from codes of one scheme to codes of another, sorted by source and target code.

    `weight`: share of the source code that goes to the target, NaN for a break; `weight_method`: one of METHODS by
    link; `is_partial`: the publisher's note says that only a part of the source code belongs to the target;
    `weight_year`, `basis`: the amounts behind the weights. Raises DataError for a link given twice, a weight outside
    0 to 1, or weights of a source code that do not sum to 1 (with a break among them: that exceed 1).
    """

    from_scheme: str
    to_scheme: str
    from_code: Strings
    to_code: Strings
    weight: Floats
    weight_method: Strings
    is_partial: Booleans
    weight_year: int | None = None
    basis: str = ""

    def __post_init__(self) -> None:
        order = np.lexsort((self.to_code, self.from_code))
        for name in ("from_code", "to_code", "weight", "weight_method", "is_partial"):
            values = np.asarray(getattr(self, name))[order]
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        self._refuse_wrong_links()

    def _refuse_wrong_links(self) -> None:
        what = f"{self.from_scheme} to {self.to_scheme}"
        twice = (self.from_code[1:] == self.from_code[:-1]) & (self.to_code[1:] == self.to_code[:-1])
        if twice.any():
            raise DataError(f"{what}: the link from {self.from_code[1:][twice][0]} is given twice")
        known = self.weight[~np.isnan(self.weight)]
        if (known < 0).any() or (known > 1 + TOLERANCE).any():
            raise DataError(f"{what}: a weight lies outside 0 to 1")
        sums = self.matrix.sum(axis=1)
        wrong = np.where(self.has_break, sums > 1 + TOLERANCE, np.abs(sums - 1) > TOLERANCE)
        if wrong.any():
            raise DataError(f"{what}: the weights of {self.sources[wrong][0]} sum to {sums[wrong][0]:.9f}, not to 1")

    @classmethod
    def from_links(
        cls,
        schemes: tuple[str, str],
        links: Iterable[tuple[str, str]],
        *,
        weight: Sequence[float] | Floats,
        method: str,
        is_partial: Sequence[bool] | Booleans | None = None,
        weight_year: int | None = None,
        basis: str = "",
    ) -> "Concordance":
        """Build a concordance from pairs of codes; a source code with a single whole target is marked `unique`."""
        pairs = list(links)
        source = np.array([pair[0] for pair in pairs], dtype=np.str_)
        weights = np.asarray(weight, np.float64)
        return cls(
            *schemes,
            from_code=source,
            to_code=np.array([pair[1] for pair in pairs], dtype=np.str_),
            weight=weights,
            weight_method=_methods(weights, np.full(len(pairs), method)),
            is_partial=np.zeros(len(pairs), bool) if is_partial is None else np.asarray(is_partial, bool),
            weight_year=weight_year,
            basis=basis,
        )

    @classmethod
    def identity(cls, scheme: str, codes: Iterable[str]) -> "Concordance":
        """Every code goes whole to itself."""
        listed = sorted(set(codes))
        return cls.from_links(
            (scheme, scheme), zip(listed, listed, strict=True), weight=np.ones(len(listed)), method="unique"
        )

    @cached_property
    def sources(self) -> Strings:
        """The source codes, sorted."""
        return np.unique(self.from_code)

    @cached_property
    def targets(self) -> Strings:
        """The target codes, sorted."""
        return np.unique(self.to_code)

    @cached_property
    def source_index(self) -> Integers:
        """Position of each link's source in `sources`."""
        return np.searchsorted(self.sources, self.from_code)

    @cached_property
    def target_index(self) -> Integers:
        """Position of each link's target in `targets`."""
        return np.searchsorted(self.targets, self.to_code)

    @cached_property
    def matrix(self) -> sparse.csr_array:
        """Weights as sources × targets; a break counts 0."""
        shape = (self.sources.size, self.targets.size)
        return sparse.csr_array((np.nan_to_num(self.weight), (self.source_index, self.target_index)), shape=shape)

    @cached_property
    def has_break(self) -> Booleans:
        """Whether a source code has a link without a weight, in the order of `sources`."""
        return sums(self.source_index, np.isnan(self.weight), self.sources.size) > 0

    @cached_property
    def unmapped_share(self) -> Floats:
        """Share of each source code that has no target: what weights leave over beside a break."""
        rest = np.clip(1 - self.matrix.sum(axis=1), 0, 1)
        return np.where(self.has_break & (rest > TOLERANCE), rest, 0.0)

    def positions(self, codes: pa.ChunkedArray | pa.Array | Sequence[str]) -> tuple[Integers, tuple[str, ...]]:
        """Position of each code in `sources`, -1 where it is not there, and the codes that are not."""
        column = codes if isinstance(codes, pa.Array | pa.ChunkedArray) else pa.array(list(codes), pa.string())
        rows, values = columns.codes(column)
        place = {code: index for index, code in enumerate(self.sources.tolist())}
        table = np.array([place.get(value, -1) for value in values], np.int64)
        unknown = tuple(sorted(value for value in values if value not in place))
        return (table[rows] if len(values) else np.empty(0, np.int64)), unknown

    @cached_property
    def is_unique(self) -> bool:
        """Whether every source code goes whole to one target."""
        return bool((self.weight == 1).all())

    def entropy(self) -> Floats:
        """Ambiguity of each source code over its targets in bits, in the order of `sources`; breaks count nothing."""
        weight = np.nan_to_num(self.weight)
        bits = -weight * np.log2(np.where(weight > 0, weight, 1.0))
        return sums(self.source_index, bits, self.sources.size)

    def spread(self, place: Integers) -> Spread:
        """Repeat rows, given by the position of their code in `sources`, for every link; -1 and breaks give no row."""
        linked = np.flatnonzero(~np.isnan(self.weight))
        row, member = repeat(place, np.bincount(self.source_index[linked], minlength=self.sources.size))
        link = linked[member]
        return Spread(row, link, self.target_index[link], self.weight[link])

    def apply(
        self,
        codes: pa.ChunkedArray | pa.Array | Sequence[str],
        amounts: Floats | Sequence[float],
        groups: npt.NDArray[np.integer] | None = None,
        group_count: int = 1,
    ) -> Applied:
        """Move amounts (one a row) from their codes to the targets, within groups (numbers 0 to `group_count` - 1).

        Codes that the concordance does not have are kept aside like breaks and named. Raises DataError for a missing
        amount, which is not a zero, and ConservationError unless in = out + unmapped to 1e-9.
        """
        values = np.asarray(amounts, np.float64)
        if np.isnan(values).any():
            raise DataError(f"{self.from_scheme} to {self.to_scheme}: {np.isnan(values).sum()} amounts are missing")
        place, unknown = self.positions(codes)
        group = np.zeros(values.size, np.int64) if groups is None else np.asarray(groups, np.int64)
        moved = self.spread(place)
        width = self.targets.size
        key = group[moved.row] * width + moved.target
        result = sums(key, values[moved.row] * moved.weight, group_count * width)
        aside = np.where(place >= 0, self.unmapped_share[place], 1.0)
        kept = np.flatnonzero(aside > 0)
        unmapped = sums(group[kept], values[kept] * aside[kept], group_count)
        ledger = LedgerEntry(float(values.sum()), float(result.sum()), float(unmapped.sum()))
        ledger.check(float(np.abs(values).sum()), f"{self.from_scheme} to {self.to_scheme}")
        used = np.flatnonzero(sums(moved.link, values[moved.row] != 0, self.weight.size))
        broken = self.sources[np.unique(place[kept][(place[kept] >= 0) & (values[kept] != 0)])]
        names = tuple(sorted({*broken.tolist(), *unknown}))
        return Applied(result.reshape(group_count, width), unmapped, names, used, ledger)

    def compose(self, then: "Concordance") -> "Concordance":
        """This concordance followed by another: the product of the weights, breaks kept.

        Assumes that the second split does not depend on the first code, which is why a direct concordance is always
        the better one. Raises DataError if the schemes do not meet or the second lacks a target of the first.
        """
        if self.to_scheme != then.from_scheme:
            raise DataError(f"a concordance to {self.to_scheme} cannot be followed by one from {then.from_scheme}")
        place, _ = then.positions(self.targets.tolist())
        lacking = self.targets[(place < 0) & (self.targets != "")]
        if lacking.size:
            raise DataError(f"{then.from_scheme} to {then.to_scheme} lacks {', '.join(lacking[:10])}")
        met = np.flatnonzero(place >= 0)
        first, second = self.matrix[:, met], then.matrix[place[met]]
        product = (first @ second).tocsr()
        product.eliminate_zeros()
        links = product.tocoo()
        partly = (self._partial_matrix[:, met] @ second + first @ then._partial_matrix[place[met]]).tocsr()
        is_partial = np.asarray(partly[links.coords[0], links.coords[1]]).ravel() > 0
        unmapped = self.unmapped_share + first @ then.unmapped_share[place[met]]
        lost = np.flatnonzero(unmapped > TOLERANCE)
        return Concordance.from_links(
            (self.from_scheme, then.to_scheme),
            [
                *zip(self.sources[links.coords[0]].tolist(), then.targets[links.coords[1]].tolist(), strict=True),
                *((code, "") for code in self.sources[lost].tolist()),
            ],
            weight=np.concatenate([np.minimum(links.data, 1.0), np.full(lost.size, np.nan)]),
            method=max(self.method, then.method, key=METHODS.index),
            is_partial=np.concatenate([is_partial, np.zeros(lost.size, bool)]),
            weight_year=then.weight_year if then.weight_year is not None else self.weight_year,
            basis=f"{self.from_scheme} to {self.to_scheme}, then to {then.to_scheme}",
        )

    @cached_property
    def _partial_matrix(self) -> sparse.csr_array:
        weight = np.nan_to_num(self.weight) * self.is_partial
        return sparse.csr_array((weight, (self.source_index, self.target_index)), shape=self.matrix.shape)

    @property
    def method(self) -> str:
        """The method that involves most judgement among the links."""
        return max(set(self.weight_method.tolist()), key=METHODS.index, default="unique")

    def restrict(self, codes: Iterable[str]) -> "Concordance":
        """Only the links from these source codes."""
        return self._take(np.isin(self.from_code, list(codes)), self.weight)

    def normalise(self) -> "Concordance":
        """Scale the known weights of each source code to 1; its breaks go, unless it has nothing else."""
        weight = np.nan_to_num(self.weight)
        total = sums(self.source_index, weight, self.sources.size)[self.source_index]
        scaled = np.divide(self.weight, total, out=self.weight.copy(), where=total > 0)
        return self._take(~np.isnan(self.weight) | (total == 0), scaled)

    def dominant(self) -> "Concordance":
        """Each source code whole to the target of its largest weight; for labels only.

        Between equals the shortest code, then the first: of clusters the lower number.
        """
        # Shares that are equal but for the rounding of sums are equal.
        weight = np.round(np.nan_to_num(self.weight), 12)
        order = np.lexsort((self.target_index, np.char.str_len(self.to_code), -weight, self.source_index))
        _, first = np.unique(self.source_index[order], return_index=True)
        chosen = np.sort(order[first])
        chosen = chosen[~np.isnan(self.weight[chosen])]
        return Concordance.from_links(
            (self.from_scheme, self.to_scheme),
            zip(self.from_code[chosen].tolist(), self.to_code[chosen].tolist(), strict=True),
            weight=np.ones(chosen.size),
            method="dominant",
            is_partial=self.is_partial[chosen],
            weight_year=self.weight_year,
            basis=self.basis,
        )

    def _take(self, kept: Booleans, weight: Floats) -> "Concordance":
        return Concordance(
            self.from_scheme,
            self.to_scheme,
            self.from_code[kept],
            self.to_code[kept],
            weight[kept],
            _methods(weight[kept], self.weight_method[kept]),
            self.is_partial[kept],
            self.weight_year,
            self.basis,
        )


def _methods(weight: Floats, method: Strings) -> Strings:
    """The method of each link; a weight of 1 leaves nothing to judge."""
    return np.where((weight == 1) & (method != "dominant"), "unique", method)
