"""Texts on the taxonomy: words, terms, titles, evidence; how often names, descriptions and codes find the cluster."""

import csv
import random
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.harmonise.cluster_weights import CODES, cluster_weights
from etl.organisations.codes import place_codes
from etl.organisations.dictionary import CLUSTERS, TERMS, matches, terms, titles
from etl.organisations.text import place_text
from etl.organisations.words import is_telling, words_of
from etl.reference import naics_cluster
from etl.reference.nace import nace_classes, nace_names

HAND_LABELLED = Path(__file__).parent / "hand_labelled.csv"
#: Names as such organisations bear, many made up, in some thirty languages; labelled before any was placed.
LABELLED_NAMES = Path(__file__).parent / "labelled_names.csv"
Truth = Mapping[str, set[int]]


def stems(text: str) -> list[str]:
    return [word.stem for word in words_of(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("LifeScience Alley", ["life", "science", "alley"]),
        ("Pôle Européen de la Céramique", ["pole", "europeen", "de", "la", "ceramique"]),
        (
            "Industries, companies' glasses; boxes & R&D",
            ["industry", "company", "glass", "box", "and", "r", "and", "d"],
        ),
        ("Kentucky Distillers’ Association", ["kentucky", "distiller", "association"]),
        ("New York battery makers of Salt Lake City", ["battery", "maker", "of"]),
        ("Silver Spring to Carbon County by Salt Lake", ["to", "by"]),
        ("Nebraska Cattlemen", ["nebraska", "cattleman"]),
        ("Клъстер Мебели, Τρόφιμα και Ποτά", ["klaster", "mebeli", "trofima", "kai", "pota"]),
        ("", []),
    ],
)
def test_words_of_a_text(text: str, expected: list[str]) -> None:
    assert stems(text) == expected


def test_what_every_organisation_is_called_tells_nothing() -> None:
    for text in ("The Regional Cluster Association", "Council for Innovation of the North, Inc.", "Netzwerk GmbH 2020"):
        assert not [stem for stem in stems(text) if is_telling(stem)]
        assert not place_text([text]).best(3)


@pytest.mark.parametrize(
    "name",
    [
        "Oil City Forum",
        "Silver Spring Council",
        "Salt Lake Alliance",
        "Carbon County Foundation",
        "Northeast Iron Range Partnership",
        "Hot Springs and Rock Hill Initiative",
        "Virginia Beach Association",
    ],
)
def test_an_industrys_word_in_the_name_of_a_place_tells_nothing(name: str) -> None:
    assert not place_text([name]).best(1)


def test_what_many_are_called_yields_to_what_one_does() -> None:
    assert place_text(["Tire Manufacturers Association"]).best(1)[0][0] == 49
    assert place_text(["Garment Industry Development Corporation"]).best(1)[0][0] == 3
    assert place_text(["Wood Innovation Center"]).best(1)[0][0] == 51


def test_capitals_tell_a_term_from_a_little_word() -> None:
    assert [term for term, _ in matches(words_of("It is what IT firms do"), terms())].count("it") == 1
    assert place_text(["Valley IT Cluster"]).best(1)[0][0] == 23
    assert not place_text(["Make it work"]).best(1)


def test_the_longest_term_counts_and_a_word_before_a_prefix() -> None:
    found = [term for term, _ in matches(words_of("Offshore wind and biotechnology"), terms())]
    assert found == ["offshore wind", "biotechnology"]
    assert place_text(["Biomass"]).best(1)[0][0] == 14
    assert place_text(["Biomaterials"]).best(1)[0][0] == 5


def test_evidence_names_the_words_that_count() -> None:
    (cluster, score, evidence), *_ = place_text(
        ["Northern Sawmill Forum", "", "Veneer and plywood for furniture."]
    ).best(3)
    assert cluster == 51 and 0 < score <= 1
    assert evidence.split(", ")[0] == "sawmill" and {"veneer", "plywood"} <= set(evidence.split(", "))


@given(st.lists(st.text(max_size=40), max_size=3))
@settings(deadline=None)
def test_any_text_has_scores_from_0_to_1(texts: list[str]) -> None:
    placed = place_text(texts)
    assert placed.scores.shape == CLUSTERS.shape
    assert (placed.scores >= 0).all() and (placed.scores <= 1).all()


def test_the_table_of_terms_is_sound() -> None:
    """Sorted, no term twice, weights in (0, 1], clusters that exist; every traded cluster has terms of its own."""
    with TERMS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = [row["term"] for row in rows]
    assert names == sorted(names, key=lambda name: (name.lower(), name))
    plain = [" ".join(stems(name.lower())) + ("*" if name.endswith("*") else "") for name in names]
    assert len(set(plain)) == len(plain)
    best = set()
    for row in rows:
        parts = dict(part.split(":") for part in row["clusters"].split())
        assert parts and all(0 < float(weight) <= 1 for weight in parts.values()), row["term"]
        assert {int(code) for code in parts} <= set(CLUSTERS.tolist()), row["term"]
        best |= {int(code) for code, weight in parts.items() if float(weight) == 1}
    assert set(range(1, 52)) <= best


def test_titles_are_vectors_of_length_one() -> None:
    known = titles()
    np.testing.assert_allclose(np.linalg.norm(known.weights, axis=0), 1.0)
    assert known.position.keys() >= {"sawmill", "aircraft", "hosiery"}
    assert "nace" not in known.position and len(titles(False).position) < len(known.position)


def shares(truth: Truth, place: Callable[[str], Iterable[int]]) -> tuple[float, float]:
    """How often one of the right clusters is first, and among the first three."""
    first = three = 0
    for name, right in truth.items():
        best = list(place(name))[:3]
        first += bool(best) and best[0] in right
        three += bool(right & set(best))
    return first / len(truth), three / len(truth)


def by_text(*texts: str, with_nace: bool = True) -> list[int]:
    return [cluster for cluster, _, _ in place_text(texts, with_nace).best(3)]


def by_codes(codes: list[str], country: str) -> list[int]:
    found = place_codes(codes, country)
    return sorted(found, key=lambda cluster: -found[cluster][0])


def hand_labelled() -> dict[str, set[int]]:
    with HAND_LABELLED.open(encoding="utf-8", newline="") as file:
        return {r["organisation_name"]: {int(c) for c in r["clusters"].split()} for r in csv.DictReader(file)}


@pytest.mark.parametrize("side", ["US", "EU"])
def test_names_in_the_languages_of_both_sides(side: str) -> None:
    with LABELLED_NAMES.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["side"] == side]
    truth = {row["organisation_name"]: {int(code) for code in row["clusters"].split()} for row in rows}
    reached = shares(truth, by_text)
    told(f"{len(truth)} names, {side}", {"name": reached})
    assert reached[0] > 0.9 and reached[1] > 0.9


def published(shared: Path) -> dict[str, set[int]]:
    path = shared / "extra" / "us_cluster_organisations.csv"
    if not path.is_file():
        pytest.skip("the published organisations (../shared/extra) are not here")
    truth: dict[str, set[int]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            truth.setdefault(row["organisation_name"], set()).add(int(row["cluster_code"]))
    return truth


def examples(truth: Truth) -> dict[str, tuple[list[str], list[str], list[str]]]:
    """For each organisation two NACE classes, their names, and two NAICS industries, of one of its clusters by chance.

    Organisations of clusters that no NACE class belongs to have none.
    """
    chance = random.Random(7)
    placed, names = cluster_weights("nace2"), nace_names("nace2")
    rows = dict(zip(placed.codes.tolist(), placed.weight, strict=True))
    classes: dict[int, list[str]] = {}
    for code in nace_classes("nace2"):
        if rows[code].max() >= 0.5:
            classes.setdefault(CODES[int(rows[code].argmax())], []).append(code)
    industries: dict[int, list[str]] = {}
    for code, cluster in sorted(naics_cluster(2017).items()):
        industries.setdefault(cluster, []).append(code)
    found = {}
    for name, right in truth.items():
        cluster = chance.choice(sorted(right))
        if cluster in classes:
            nace = chance.sample(classes[cluster], min(2, len(classes[cluster])))
            naics = chance.sample(industries[cluster], min(2, len(industries[cluster])))
            found[name] = (nace, [names[code].lower() for code in nace], naics)
    return found


def told(title: str, reached: Mapping[str, tuple[float, float]]) -> None:
    print(f"\n{title}: one of the right clusters first, among three")
    for name, (first, three) in reached.items():
        print(f"  {name:34} {first:5.1%} {three:6.1%}")


@pytest.mark.parametrize("source", ["published", "hand labelled"])
def test_names_descriptions_and_codes(source: str, request: pytest.FixtureRequest) -> None:
    """Descriptions are made of names of NACE classes, by a dictionary that does not know these."""
    truth = published(request.getfixturevalue("shared")) if source == "published" else hand_labelled()
    made = examples(truth)

    def description(name: str) -> str:
        fields = " and ".join(made[name][1]) if name in made else ""
        return f"We bring together companies, research and public partners of the region in {fields}." if fields else ""

    described = {name: right for name, right in truth.items() if name in made}
    reached = {
        "name": shares(truth, by_text),
        "name and description": shares(truth, lambda name: by_text(name, description(name), with_nace=False)),
        "description alone": shares(described, lambda name: by_text("", description(name), with_nace=False)),
        "NACE codes": shares(described, lambda name: by_codes(made[name][0], "DE")),
        "NAICS codes": shares(described, lambda name: by_codes(made[name][2], "US")),
    }
    told(f"{len(truth)} organisations, {source}", reached)
    first, three = reached["name"]
    assert first >= 0.60 and three >= 0.75
    better, better_three = reached["name and description"]
    assert better > first and better_three > three
    assert reached["NACE codes"][0] > better and reached["NAICS codes"] == (1.0, 1.0)


def test_a_description_alone_finds_the_cluster() -> None:
    """Ten made-up organisations of each traded cluster, whose names say nothing."""
    truth = {f"Organisation {number}": {1 + number % 51} for number in range(510)}
    made = examples(truth)
    described = {name: right for name, right in truth.items() if name in made}
    place = {name: " and ".join(names) for name, (_, names, _) in made.items()}
    reached = shares(described, lambda name: by_text(name, place[name], with_nace=False))
    told(f"{len(described)} made-up organisations", {"description": reached})
    assert reached[0] > 0.7 and reached[1] > 0.9
