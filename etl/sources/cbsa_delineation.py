"""Metropolitan and micropolitan areas by county, as the Office of Management and Budget delineates them.

Addresses: `https://www2.census.gov/programs-surveys/metro-micro/geographies/reference-files/YYYY/delineation-files/`
with `list1_2020.xls` (March 2020) and `list1_2023.xlsx` (July 2023). One row a county, below two lines of title; notes
stand at the end.

The files are kept and compared with the built-in table, which is what everything else uses: a difference is a warning.
Puerto Rico is left out of the comparison. Evidence: the file of 2020 read whole; that of 2023 from documentation.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from etl import reference
from etl.errors import SourceFormatError
from etl.sources.base import ArchivedFile, Dataset, Parsed, Request, Side
from etl.sources.comparison import compare_workbooks, differences
from etl.sources.workbooks import first_sheet, is_workbook, rows_below

FOLDER = "https://www2.census.gov/programs-surveys/metro-micro/geographies/reference-files"
FILES = {2020: ("list1_2020.xls", "xls"), 2023: ("list1_2023.xlsx", "xlsx")}
AREA, STATE, COUNTY = "CBSA Code", "FIPS State Code", "FIPS County Code"
PUERTO_RICO = "72"


class CbsaDelineation(Dataset):
    """The lists of metropolitan areas; `kind` of a file is the year of its delineation."""

    name: ClassVar[str] = "cbsa_delineation"
    side: ClassVar[Side] = "us"
    title: ClassVar[str] = "Core based statistical areas by county"
    publisher: ClassVar[str] = "US Census Bureau, for the Office of Management and Budget"

    def requests(self, years: Iterable[int]) -> list[Request]:
        """The list of each delineation built in; they belong to no data year."""
        return [
            Request(self.name, f"{FOLDER}/{year}/delineation-files/{file}", str(year), content)
            for year, (file, content) in FILES.items()
        ]

    def check(self, file: ArchivedFile) -> None:
        """Refuse what is no workbook."""
        if not is_workbook(file):
            raise SourceFormatError(f"{file.url}: the answer is no Excel workbook")

    def profile(self, file: ArchivedFile) -> dict[str, float | list[str]]:
        """Nothing: a later list may differ as it likes. The sheet is read whole, as `parse` does."""
        self.parse([file], None)
        return {}

    def parse(self, files: Sequence[ArchivedFile], year: int | None) -> Parsed:
        """Compare the lists with the built-in ones; the differences are notes."""
        return Parsed({}, compare_workbooks(files, _differences))


def _differences(file: ArchivedFile) -> list[str]:
    rows = rows_below(first_sheet(file), (AREA, STATE, COUNTY), file)
    published = {
        row[STATE].zfill(2) + row[COUNTY].zfill(3): row[AREA]
        for row in rows
        if row[COUNTY].isdigit() and row[STATE].zfill(2) != PUERTO_RICO
    }
    built_in = reference.county_area("us_cbsa", int(file.kind))
    ours = {county: area for county, area in built_in.items() if county[:2] != PUERTO_RICO}
    return differences(f"{file.url}: the metropolitan area of counties", ours, published)
