"""Eurostat: regional structural business statistics to 2020 (sbs_r_nuts06_r2), one sheet with all years.

Evidence: the sheet of 2015 (persons employed) as the publisher lays it out; local units, wages, the total, other years
and confidential marks from documentation.
"""

from etl.sources.eurostat_cells import Layout
from etl.sources.eurostat_table import EurostatTable


class EurostatSbs(EurostatTable):
    """Persons employed, local units and wages by NUTS region and NACE Rev. 2 division, 2008 to 2020.

    Sections B to J and L to N, divisions, division 95, and groups in trade only. Groups are no leaves: they fall short
    of their division in Poland (2015: 180,000 persons in 45, 328,000 in 46) and are missing in other areas.
    """

    name = "eurostat_sbs"
    source = "eurostat_sbs"
    title = "Structural business statistics by NUTS 2 region, 2008-2020"
    years = range(2008, 2021)
    codes = ("sbs_r_nuts06_r2",)
    expected = frozenset(("B", "C", "D", "E", "F", "G", "H", "I", "J", "L", "M", "N", "S95"))
    layout = Layout(
        source="eurostat_sbs",
        activity="nace_r2",
        industry_scheme="nace2",
        indicator="indic_sb",
        employment="V16110",
        units="V11210",
        wages="V13320",
        total="B-N_S95_X_K",
        finest="division",
    )
