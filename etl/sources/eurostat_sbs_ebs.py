"""Eurostat: regional structural business statistics from 2021 (sbs_r_nuts2021), one sheet with all years.

Evidence: documentation and public readers only; no sheet was at hand.
"""

from etl.sources.base import years_on_offer
from etl.sources.eurostat_cells import Layout
from etl.sources.eurostat_table import EurostatTable


class EurostatSbsEbs(EurostatTable):
    """Persons employed, local units and wages by NUTS region and NACE Rev. 2 division, under the regulation of 2019.

    Sections B to S without O and division 94: finance, education, health and culture are new, units are enforced,
    codes differ. Never to be chained with the years before. Figures from 2025 on come in NACE 2.1 and other tables.
    """

    name = "eurostat_sbs_ebs"
    source = "eurostat_sbs_ebs"
    title = "Structural business statistics by NUTS 2 region, from 2021"
    #: A year is complete by the end of September of the second year after it; first figures come earlier.
    years = years_on_offer(2021, 12)
    newest_seen = 2024
    codes = ("sbs_r_nuts2021",)
    layout = Layout(
        source="eurostat_sbs_ebs",
        activity="nace_r2",
        industry_scheme="nace2",
        indicator="indic_sbs",
        employment="EMP_LOC_NR",
        units="LOC_NR",
        wages="WAGE_LOC_MEUR",
        total="B-S_X_O_S94",
        finest="division",
    )
