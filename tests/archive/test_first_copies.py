"""A first copy has nothing to be held against but itself and the other years: totals far from theirs are refused."""

import pytest
from toy_publisher import HEADER, Publisher, Toys, url_of

from etl.archive.bodies import RefusalError
from etl.archive.guards import check_among_years
from etl.settings import Settings
from etl.storage import Storage

YEARS = (2018, 2019, 2020, 2021)


def table(jobs: int) -> bytes:
    """A table of 40 regions with this many jobs in each of 12 industries, and a few more."""
    rows = (f"{r:05},{i:02},{jobs + r * i}" for r in range(40) for i in range(12))
    return ("\n".join([HEADER, *rows]) + "\n").encode()


def offer(publisher: Publisher, **jobs: int) -> Toys:
    dataset = Toys()
    dataset.kinds = ("csv",)
    for year, count in jobs.items():
        publisher.offer(url_of("csv", int(year[1:])), table(count))
    return dataset


@pytest.mark.parametrize("odd", YEARS)
def test_halved_totals_of_one_year_are_refused_among_the_others(
    odd: int, publisher: Publisher, storage: Storage, quick: Settings
) -> None:
    dataset = offer(publisher, **{f"y{year}": 5000 + year if year != odd else 2500 for year in YEARS})
    fetched = publisher.fetch(storage, quick, dataset=dataset, requests=dataset.requests(YEARS))
    assert [outcome.request.year for outcome in fetched.left_out] == [odd]
    assert "guard years:" in fetched.left_out[0].reason
    offer(publisher, **{f"y{odd}": 5000})
    again = publisher.fetch(storage, quick, dataset=dataset, requests=dataset.requests(YEARS))
    assert not again.left_out
    assert len(again.files) == 4


def test_it_may_be_accepted(publisher: Publisher, storage: Storage, quick: Settings) -> None:
    dataset = offer(publisher, y2018=5000, y2019=5001, y2020=2500)
    asked = dataset.requests(YEARS)
    fetched = publisher.fetch(storage, quick, dataset=dataset, requests=asked, accept=["toys"])
    assert [outcome.status for outcome in fetched.outcomes].count("accepted") == 1
    assert not fetched.left_out


def test_one_other_year_decides_nothing(publisher: Publisher, storage: Storage, quick: Settings) -> None:
    dataset = offer(publisher, y2018=5000, y2019=2500)
    assert not publisher.fetch(storage, quick, dataset=dataset, requests=dataset.requests(YEARS)).left_out


def profile(jobs: float, *regions: str) -> dict[str, object]:
    return {"rows": 9, "regions": list(regions or ("01", "02")), "jobs": jobs}


def test_only_years_of_the_same_regions_that_agree_are_asked() -> None:
    right = [(2019, profile(100)), (2021, profile(104))]
    with pytest.raises(RefusalError, match="around 102 in other years"):
        check_among_years(2020, profile(50), right)
    check_among_years(2020, profile(80), right)
    check_among_years(2020, profile(50), [(year, profile(jobs, "07")) for year, jobs in ((2019, 100), (2021, 104))])
    check_among_years(2020, profile(50), [(2019, profile(100)), (2021, profile(900))])


def test_what_is_allowed_widens_with_the_years_between() -> None:
    others = [(2000, profile(100)), (2001, profile(100))]
    with pytest.raises(RefusalError):
        check_among_years(2003, profile(190), others)
    check_among_years(2020, profile(190), others)
