"""Scores of pairs: what must not change them, against plain loops, and at their edges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from partner_cases import common, portfolios

from etl.errors import DataError
from etl.measure.portfolio import shrunken_log_quotient
from etl.partners.profiles import Profiles, read_profiles, shrunken, weighted
from etl.partners.relatedness import co_location, similarity_matrix
from etl.partners.scores import KINDS, LIKENESS_COSTS, Features, Relations, every, paired, score


def profiles_of(employment: dict[tuple[str, str], list[float]], **more: object) -> Profiles:
    return read_profiles(common(employment, **more), "L")  # type: ignore[arg-type]


def scores(profiles: Profiles, kind: str, relatedness: np.ndarray | None = None) -> np.ndarray:
    """Scores (n, n) of every region with every region."""
    related = co_location(profiles.quotient, profiles.is_known) if relatedness is None else relatedness
    features = Features.of(profiles.strengths, profiles.reference, profiles.is_strong, Relations.of(related))
    everyone = np.arange(len(profiles.region))
    return score(kind, features, everyone, everyone, every)


@pytest.mark.parametrize("kind", ["twin", "twin_related"])
@given(seed=st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_a_region_is_its_own_twin(kind: str, seed: int) -> None:
    own = np.diag(scores(profiles_of(portfolios(seed)), kind))
    assert np.allclose(own, 1.0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_a_pair_has_one_score_whoever_asks(kind: str, seed: int) -> None:
    found = scores(profiles_of(portfolios(seed)), kind)
    np.testing.assert_allclose(found, found.T, atol=1e-12)
    assert np.nanmax(np.abs(found)) <= 1 + LIKENESS_COSTS


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 10**6), factor=st.floats(0.01, 100))
@settings(max_examples=10, deadline=None)
def test_size_alone_changes_nothing(kind: str, seed: int, factor: float) -> None:
    """A region with the same make-up and any multiple of the employment has the same scores with all others."""
    employment = portfolios(seed)
    reference = np.sum(list(employment.values()), axis=0)
    small = profiles_of(employment, reference=reference)
    scaled = {key: [factor * jobs for jobs in row] if i % 2 else row for i, (key, row) in enumerate(employment.items())}
    np.testing.assert_allclose(scores(profiles_of(scaled, reference=reference), kind), scores(small, kind), atol=1e-9)


def test_the_shares_of_the_reference_area_are_read_from_the_quotients() -> None:
    reference = np.arange(1.0, 52.0)
    profiles = profiles_of(portfolios(3), reference=reference)
    np.testing.assert_allclose(profiles.reference, reference / reference.sum(), rtol=1e-12)


def test_strength_is_the_shrunken_log_in_a_region_of_the_standard_size() -> None:
    """500 persons among 250,000 halve the log; what is not there is neither strength nor weakness; 3 is the most."""
    reference = np.array([0.001, 0.5, 0.0001, 0.4989])
    share = np.array([[0.002, 0.25, 0.0, 0.748]])
    found = shrunken(share, reference, np.ones((1, 4), bool))[0]
    assert found[0] == pytest.approx(1.0 * 0.5)
    assert found[1] == pytest.approx(-1.0 * 62_500 / 63_000)
    assert found[2] == 0.0
    assert found[3] == pytest.approx(float(shrunken_log_quotient(np.array(0.748 / 0.4989), np.array(187_000.0))))
    assert shrunken(np.array([[0.9]]), np.array([0.001]), np.ones((1, 1), bool))[0, 0] == 3.0


def test_vectors_weigh_by_the_root_of_the_reference_share() -> None:
    np.testing.assert_allclose(weighted(np.array([[2.0, -1.0]]), np.array([0.25, 0.04])), [[1.0, -0.2]])


@given(seed=st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_complements_are_those_of_plain_loops(seed: int) -> None:
    random = np.random.default_rng(seed)
    strengths, reference = random.normal(0, 1, (2, 5)), random.uniform(0.1, 1, 5)
    strong = random.random((2, 5)) < 0.6
    related = random.uniform(0, 1, (5, 5))
    related = np.maximum(related, related.T)
    edge = np.quantile(related[~np.eye(5, dtype=bool)], 0.9)
    linked = pairs = shared = 0.0
    z, s = np.maximum(strengths, 0), strengths * np.sqrt(reference)
    for c in range(5):
        for d in range(5):
            if strong[0, c] and strong[1, d] and c != d:
                pairs += z[0, c] * z[1, d]
                linked += z[0, c] * z[1, d] * (related[c, d] if related[c, d] >= edge else 0)
        if strong[0, c] and strong[1, c]:
            shared += s[0, c] * s[1, c]
    expected = linked / pairs - 0.5 * shared / np.linalg.norm(s[0]) / np.linalg.norm(s[1]) if pairs > 1e-9 else np.nan
    features = Features.of(strengths, reference, strong, Relations.of(related))
    for product, at in ((every, (0, 0)), (paired, (0,))):
        found = score("complement", features, np.array([0]), np.array([1]), product)[at]
        assert found == pytest.approx(expected, nan_ok=True)


def test_the_same_single_strength_is_no_complement() -> None:
    strong = np.array([[True, False], [True, False]])
    features = Features.of(np.ones((2, 2)), np.ones(2) / 2, strong, Relations.of(np.ones((2, 2))))
    assert np.isnan(score("complement", features, np.array([0]), np.array([1]), paired)[0])


@given(arrays(np.float64, (6, 6), elements=st.floats(0, 1)), st.data())
@settings(deadline=None)
def test_the_inner_product_of_twins_is_one(relatedness: np.ndarray, data: st.DataObject) -> None:
    """Symmetric, without negative eigenvalues, whatever is unknown; what needs no cutting stays as it is."""
    related = np.maximum(relatedness, relatedness.T)
    related[data.draw(arrays(np.bool_, (6, 6)))] = np.nan
    related = np.where(np.isnan(related.T), np.nan, related)
    found = similarity_matrix(related)
    np.testing.assert_allclose(found, found.T, atol=1e-12)
    assert np.linalg.eigvalsh(found).min() > -1e-9
    np.testing.assert_allclose(similarity_matrix(np.eye(6)), np.eye(6), atol=1e-12)
    roots = Relations(found, found).root
    np.testing.assert_allclose(roots @ roots.T, found, atol=1e-9)


def test_related_clusters_bring_regions_together() -> None:
    """Two regions strong in two different but related clusters are no twins, but related twins."""
    strengths = np.array([[2.0, 0.0], [0.0, 2.0]])
    related = np.array([[1.0, 0.8], [0.8, 1.0]])
    features = Features.of(strengths, np.array([0.5, 0.5]), strengths > 0, Relations.of(related))
    pair = (np.array([0]), np.array([1]), paired)
    assert score("twin", features, *pair)[0] == 0
    assert score("twin_related", features, *pair)[0] == pytest.approx(0.8)


def test_every_region_needs_all_its_clusters() -> None:
    table = common(portfolios(0))
    with pytest.raises(DataError, match="one row for each traded cluster"):
        read_profiles(table.slice(1), "L")
