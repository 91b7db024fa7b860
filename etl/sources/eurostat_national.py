"""Eurostat: national structural business statistics by NACE class, the structure of what regions give by division.

By enterprise, at the activity of the whole enterprise: no sum of regions and no total to meet, only the shares of the
classes within a division. `establishments` holds the number of enterprises. Never published as facts of their own.

Evidence: documentation and the table of contents only; no sheet was at hand.
"""

from etl.sources.base import years_on_offer
from etl.sources.eurostat_cells import Layout
from etl.sources.eurostat_table import EurostatTable


class EurostatSbsNational(EurostatTable):
    """Persons employed, enterprises and wages by country and NACE Rev. 2 class, 2005 to 2020, in four sheets."""

    name = "eurostat_sbs_national"
    source = "eurostat_sbs_national"
    title = "Structural business statistics by country and NACE class, 2005-2020"
    years = range(2005, 2021)
    codes = ("sbs_na_ind_r2", "sbs_na_con_r2", "sbs_na_dt_r2", "sbs_na_1a_se_r2")
    layout = Layout(
        source="eurostat_sbs_national",
        activity="nace_r2",
        industry_scheme="nace2",
        indicator="indic_sb",
        employment="V16110",
        units="V11110",
        wages="V13320",
        total=None,
        finest="class",
        by_nation=True,
    )


class EurostatSbsOvw(EurostatTable):
    """Persons employed, enterprises and wages by country and NACE Rev. 2 class, from 2021, all levels in one sheet."""

    name = "eurostat_sbs_ovw"
    source = "eurostat_sbs_ovw"
    title = "Structural business statistics by country and NACE class, from 2021"
    years = years_on_offer(2021, 12)
    newest_seen = 2024
    codes = ("sbs_ovw_act",)
    layout = Layout(
        source="eurostat_sbs_ovw",
        activity="nace_r2",
        industry_scheme="nace2",
        indicator="indic_sbs",
        employment="EMP_NR",
        units="ENT_NR",
        wages="WAGE_MEUR",
        total="B-S_X_O_S94",
        finest="class",
        by_nation=True,
    )
