"""What each source counts, whom it covers, and how its figures may be reused (table source)."""

import pyarrow as pa

from etl.contracts import contract

_SOURCES = (
    {
        "source": "census_cbp",
        "publisher": "U.S. Census Bureau",
        "title": "County Business Patterns",
        "concept": "paid employees in the pay period that includes 12 March, by place of work",
        "coverage": (
            "Establishments with paid employees in most NAICS industries, United States without territories. Left "
            "out: farms (111, 112), rail (482), post (491), pension and other funds (5251, 525920), private "
            "households (814), most of government (92), the self-employed without employees. Noise is infused from "
            "2007; cells of fewer than three establishments are not published from 2017."
        ),
        "currency_code": "USD",
        "licence": "Public domain in the United States (17 U.S.C. 105)",
        "attribution": "U.S. Census Bureau, County Business Patterns; clusters and estimates by Clusterbridge.",
    },
    {
        "source": "bls_qcew",
        "publisher": "U.S. Bureau of Labor Statistics",
        "title": "Quarterly Census of Employment and Wages",
        "concept": "jobs covered by unemployment insurance, annual average of the months, private ownership",
        "coverage": (
            "Private establishments under state unemployment insurance, all NAICS industries with farms, about 95 % of "
            "jobs. Left out: the self-employed, unpaid family workers, most rail workers, public ownership."
        ),
        "currency_code": "USD",
        "licence": "Public domain in the United States (17 U.S.C. 105)",
        "attribution": "U.S. Bureau of Labor Statistics, QCEW; clusters and estimates by Clusterbridge.",
    },
    {
        "source": "eurostat_sbs",
        "publisher": "Eurostat",
        "title": "Structural business statistics by NUTS 2 region and NACE Rev. 2 (2008-2020)",
        "concept": "persons employed in local units, annual average, working owners and family workers included",
        "coverage": (
            "NACE sections B to J, L to N and division 95, by two-digit division (three digits in trade). Left out: "
            "agriculture, finance, public administration, education, health, arts, most personal services."
        ),
        "currency_code": "EUR",
        "licence": "Commission Decision 2011/833/EU on reuse; the source must be named",
        "attribution": "Source: Eurostat (sbs_r_nuts06_r2); clusters and estimates by Clusterbridge.",
    },
    {
        "source": "eurostat_sbs_ebs",
        "publisher": "Eurostat",
        "title": "Structural business statistics by NUTS 2 region and NACE Rev. 2 (from 2021)",
        "concept": "persons employed in local units, annual average, working owners and family workers included",
        "coverage": (
            "NACE sections B to S without O and division 94, market producers, by two-digit division. A break in "
            "series against the years to 2020: units, activities and codes changed."
        ),
        "currency_code": "EUR",
        "licence": "Commission Decision 2011/833/EU on reuse; the source must be named",
        "attribution": "Source: Eurostat (sbs_r_nuts2021); clusters and estimates by Clusterbridge.",
    },
    {
        "source": "uk_bres",
        "publisher": "Office for National Statistics",
        "title": "Business Register and Employment Survey, open access",
        "concept": "employment in September: employees and working owners, by place of work",
        "coverage": (
            "Great Britain, all industries but farms, by four-digit class; every figure rounded on a grid that widens "
            "with its size. Left out: Northern Ireland, the self-employed without VAT or PAYE."
        ),
        "currency_code": None,
        "licence": "Open Government Licence v3.0",
        "attribution": (
            "Contains public sector information licensed under the Open Government Licence v3.0: Office for National "
            "Statistics, BRES, through Nomis; clusters and estimates by Clusterbridge."
        ),
    },
    {
        "source": "fr_urssaf",
        "publisher": "Urssaf Caisse nationale",
        "title": "Établissements et effectifs salariés, commune by APE",
        "concept": "employees of the private sector at the end of December",
        "coverage": (
            "Private establishments of the general scheme in France. Left out: farms, civil servants, the "
            "self-employed. Agency workers stand under the agency (78.20)."
        ),
        "currency_code": None,
        "licence": "Open Database License (ODbL)",
        "attribution": "Urssaf, open.urssaf.fr; clusters and aggregates by Clusterbridge.",
    },
)


def source_table() -> pa.Table:
    """The six sources, by the contract of table source."""
    return contract("source").conform(pa.Table.from_pylist([{**source, "is_invented": False} for source in _SOURCES]))
