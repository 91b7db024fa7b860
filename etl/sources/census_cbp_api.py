"""County Business Patterns through the Census API: the second way in, by state and by county, from 2017.

Asked where a bulk file of states or counties is not to be had, and only with a key: since May 2026 the Bureau sends
who has none, or a wrong one, to a page about keys.

Addresses: `https://api.census.gov/data/YYYY/cbp?get=GEO_ID,NAME,YEAR,NAICS2017,NAICS2017_LABEL,ESTAB,EMP,PAYANN` with
`&for=state:NN` or `&for=county:*&in=state:NN`; the key is sent with them and never kept. The answer is read by
`census_api_answers`: all values are strings, names of the header may come twice, a withheld figure is "0".

Differences from the bulk files: total `00`, sectors `31-33`, `44-45`, `48-49`; no marks unless asked for; no size
classes. NAICS 2017 in all these years.

Evidence: answers of 2019 to 2021 for 50 states and the counties of 38, in the API's layout; 2017, 2018, 2022 and 2023
from the API's documentation.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from etl import reference
from etl.sources.base import ArchivedFile, Dataset, Parsed, Request, Side
from etl.sources.census_api_answers import check_answer, outline_answer, read_answers
from etl.sources.census_cbp import bulk_address
from etl.sources.census_cells import NEWEST_SEEN, SOURCE

QUESTION = "get=GEO_ID,NAME,YEAR,NAICS2017,NAICS2017_LABEL,ESTAB,EMP,PAYANN"
KEY_SETTING = "census_api_key"


class CensusCbpApi(Dataset):
    """The Census API's answers; their figures go to the source `census_cbp`, whose reader combines both ways in."""

    name: ClassVar[str] = "census_cbp_api"
    source: ClassVar[str | None] = SOURCE
    side: ClassVar[Side] = "us"
    title: ClassVar[str] = "County Business Patterns, Census API"
    publisher: ClassVar[str] = "US Census Bureau"
    #: A fallback is asked for no year that the better file only might have.
    years: ClassVar[Sequence[int]] = range(2017, NEWEST_SEEN + 1)
    newest_seen: ClassVar[int | None] = NEWEST_SEEN

    def requests(self, years: Iterable[int]) -> list[Request]:
        """One question a state for its own figures and one for its counties', for each year on offer."""
        return [
            Request(
                self.name,
                f"https://api.census.gov/data/{year}/cbp?{QUESTION}&{area}",
                kind,
                "json",
                year,
                KEY_SETTING,
                bulk_address(year, kind),
            )
            for year in years
            if year in self.years
            for state in sorted(reference.states())
            for kind, area in (("st", f"for=state:{state}"), ("co", f"for=county:*&in=state:{state}"))
        ]

    def sample(self, years: Iterable[int]) -> list[Request]:
        """One state's own figures and those of its counties."""
        return self.requests(years)[:2]

    def check(self, file: ArchivedFile) -> None:
        """Refuse an answer without the columns the reader needs."""
        check_answer(file)

    def profile(self, file: ArchivedFile) -> dict[str, float | list[str]]:
        """Regions, sectors, and what is printed in the regions' totals."""
        return {} if file.year is None else outline_answer(file, file.year)

    def parse(self, files: Sequence[ArchivedFile], year: int | None) -> Parsed:
        """Read a year's answers into `region_industry`. Raises SourceFormatError naming file, line and code."""
        return Parsed({}) if year is None else read_answers(files, year)
