"""The rules of measures once more, in plain loops over one region and cluster at a time: slow, and easy to read."""

import math

Matrix = list[list[float | None]]


def quantile(values: list[float], share: float) -> float:
    """Linear interpolation between the two nearest of the sorted values."""
    ordered = sorted(values)
    position = (len(ordered) - 1) * share
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def american_quotient(region: list[float], nation: list[float], cluster: int) -> float:
    """Cluster over the region's class, over the same for the nation; 0 where a denominator is zero."""
    if sum(region) == 0 or sum(nation) == 0 or nation[cluster] == 0:
        return 0.0
    return (region[cluster] / sum(region)) / (nation[cluster] / sum(nation))


def american_flags(
    employment: list[float], establishments: list[float], quotients: list[float]
) -> list[dict[str, bool]]:
    """Flags of every region for one cluster."""
    active = [i for i, value in enumerate(employment) if value > 0]
    flags = []
    for i in range(len(employment)):
        if not active:
            flags.append(dict.fromkeys(("qualifying", "significant", "strong", "top"), False))
            continue

        def edge(values: list[float], share: float) -> float:
            return quantile([values[k] for k in active], share)

        base = employment[i] > edge(employment, 0.25) and establishments[i] > edge(establishments, 0.25)
        own = quotients[i]
        flags.append(
            {
                "qualifying": base and own > edge(quotients, 0.25),
                "significant": base and own > edge(quotients, 0.5),
                "strong": base and own >= edge(quotients, 0.75) and own >= 1,
                "top": base and own >= edge(quotients, 0.9) and own >= 1,
            }
        )
    return flags


def common_quotient(region: list[float], reference: list[float], usable: list[bool], cluster: int) -> float | None:
    """Cluster over the region's usable traded employment, over the same for the reference; None by a zero."""
    if not usable[cluster]:
        return None
    own = sum(value for value, is_usable in zip(region, usable, strict=True) if is_usable)
    whole = sum(value for value, is_usable in zip(reference, usable, strict=True) if is_usable)
    if own == 0 or whole == 0 or reference[cluster] == 0:
        return None
    return (region[cluster] / own) / (reference[cluster] / whole)


def common_strong(
    employment: list[float], establishments: list[float | None], quotients: list[float | None], share: float
) -> list[bool]:
    """The common rule for every region of the pool and one cluster."""
    active = [i for i, value in enumerate(employment) if value > 0 and quotients[i] is not None]
    if not active:
        return [False] * len(employment)
    known = [establishments[i] for i in active if establishments[i] is not None]
    result = []
    for i, own in enumerate(quotients):
        is_strong = (
            i in active
            and employment[i] > quantile([employment[k] for k in active], 0.25)
            and (establishments[i] is None or establishments[i] > quantile(known, 0.25))
            and own >= 1
            and own >= quantile([quotients[k] for k in active], share)
        )
        result.append(bool(is_strong))
    return result
