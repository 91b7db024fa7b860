"""The checks behind the expectations: each a query that finds the rows against a rule, in the tables of one year.

A check is named after what it protects. Its query returns the rows' keys and the figures that show what is wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from etl.measure.rules import REFERENCE_AREAS
from etl.validate.suites import REFERENCES

REGION = "source, year, region_scheme, region_code, region_vintage"
CLASS = "CASE WHEN cluster_code BETWEEN 1 AND 51 THEN 'traded' WHEN cluster_code > 100 THEN 'local' END"
#: What a publisher could not place: it may be negative, where the parts add up to more than their total.
PLACED = "NOT (region_code SIMILAR TO '.{2}999|99|[A-Z]{2}Z+')"


#: How far leaves may be from their total: annual averages are rounded each by itself.
ROUNDING = "CASE source WHEN 'bls_qcew' THEN 1e-3 ELSE 1e-6 END"


@dataclass(frozen=True, slots=True)
class Check:
    """`query`: finds the rows against the rule. `needs`: the tables it reads."""

    name: str
    needs: tuple[str, ...]
    query: str


def checks_of(table: str) -> Mapping[str, Check]:
    """All checks that may be asked of a table, by name."""
    own = {name: Check(name, needs, query) for name, (needs, query) in DOMAIN.get(table, {}).items()}
    own["bounds_hold"] = Check("bounds_hold", (table,), _bounds(table))
    own["rows_do_not_vanish"] = Check("rows_do_not_vanish", (table,), _vanished(table))
    for columns, target, name in REFERENCES:
        own[name] = Check(name, (table, target), _unresolved(table, columns, target))
    return own


def _bounds(table: str) -> str:
    slack = "1e-6 * greatest(1, abs(employment))"
    return f"""SELECT * FROM {table} WHERE employment_low > employment + {slack}
               OR employment > employment_high + {slack}
               OR employment_low > employment_high + 1e-6 * (1 + abs(employment_high))
               OR (employment_low < 0 AND employment >= 0)"""


def _vanished(table: str) -> str:
    return f"""SELECT before.rows AS rows_before, (SELECT count(*) FROM {table}) AS rows_now FROM previous_rows before
               WHERE before.table_name = '{table}' AND (SELECT count(*) FROM {table}) < 0.8 * before.rows"""


def _unresolved(table: str, columns: tuple[str, ...], target: str) -> str:
    own = ("region_scheme", "region_code", "region_vintage") if target == "region" else (f"{target}_code",)
    own = ("source",) if target == "source" else own
    names = ", ".join(f"{theirs} AS {mine}" for mine, theirs in zip(columns, own, strict=True))
    given = " AND ".join(f"{name} IS NOT NULL" for name in columns)
    return f"""SELECT * FROM {table} ANTI JOIN (SELECT {names} FROM {target}) USING ({", ".join(columns)})
               WHERE {given}"""


def _unequal(left: str, right: str, tolerance: str = "1e-9") -> str:
    return f"abs(({left}) - ({right})) > {tolerance} * greatest(1, abs({left}), abs({right}))"


def _weights(table: str, group: str) -> str:
    return f"""SELECT {group}, sum(weight) AS weights FROM {table} GROUP BY {group}
               HAVING count(*) = count(weight) AND abs(sum(weight) - 1) > 1e-9"""


def _printed_total() -> str:
    return f"""WITH printed AS (SELECT {REGION}, employment_reported FROM region_industry
                   WHERE industry_level = 'total' AND region_scheme LIKE 'us_%' AND employment_reported IS NOT NULL)
               SELECT {REGION}, t.employment_reported, printed.employment_reported AS published
               FROM region_total t JOIN printed USING ({REGION})
               WHERE {_unequal("t.employment_reported", "printed.employment_reported")}"""


def _add_up() -> str:
    return f"""WITH sums AS (
                   SELECT {REGION}, sum(employment_reported) AS over_clusters FROM region_cluster GROUP BY ALL)
               SELECT {REGION}, over_clusters, employment_reported FROM region_total FULL JOIN sums USING ({REGION})
               WHERE over_clusters IS NULL OR employment_reported IS NULL
               OR {_unequal("over_clusters", "employment_reported")}"""


def _leaves() -> str:
    """Regions are left out whose industries contradict each other; sums over regions are nothing to leaves."""
    return f"""WITH sums AS (
                   SELECT {REGION}, sum(employment) FILTER (is_leaf) AS leaves,
                       max(employment) FILTER (industry_level = 'total') AS whole
                   FROM region_industry WHERE region_scheme LIKE 'us_%' AND region_scheme <> 'us_cbsa' GROUP BY ALL)
               SELECT * FROM sums WHERE {_unequal("coalesce(leaves, 0)", "whole", ROUNDING)} AND NOT EXISTS (
                   SELECT 1 FROM contradiction c WHERE c.source = sums.source AND c.year = sums.year
                   AND c.region_scheme = sums.region_scheme AND c.region_code = sums.region_code
                   AND c.kind <> 'geography')"""


def _american_quotient() -> str:
    return f"""WITH nation AS (
                   SELECT source, year, cluster_code,
                       employment / nullif(sum(employment) OVER class, 0) AS national_share
                   FROM region_cluster WHERE region_scheme = 'us_nation' AND cluster_code > 0
                   WINDOW class AS (PARTITION BY source, year, {CLASS}))
               SELECT {REGION}, cluster_code, location_quotient, region_share, national_share
               FROM region_cluster JOIN nation USING (source, year, cluster_code)
               WHERE region_scheme LIKE 'us_%' AND location_quotient IS NOT NULL
               AND {_unequal("location_quotient * national_share", "region_share")}"""


def _region_shares() -> str:
    return f"""SELECT {REGION}, {CLASS} AS class, sum(region_share) AS shares, sum(employment) AS employment
               FROM region_cluster WHERE region_scheme LIKE 'us_%' AND cluster_code > 0 GROUP BY ALL
               HAVING count(*) = count(region_share) AND sum(employment) > 0 AND abs(sum(region_share) - 1) > 1e-9"""


def _mean_quotient(where: str, tolerance: str) -> str:
    """Quotients weighted by the regions' denominators: their mean over all regions of the reference is 1."""
    return f"""WITH totals AS (
                   SELECT {REGION}, employment AS total, employment_traded, employment_local FROM region_total),
               weighted AS (
                   SELECT source, year, region_scheme, cluster_code, location_quotient AS quotient,
                       CASE WHEN region_scheme LIKE 'nuts%' THEN total WHEN cluster_code > 100 THEN employment_local
                       ELSE employment_traded END AS size
                   FROM region_cluster JOIN totals USING ({REGION}) WHERE cluster_code > 0 AND {where})
               SELECT source, year, region_scheme, cluster_code, sum(quotient * size) / sum(size) AS mean_quotient
               FROM weighted GROUP BY ALL
               HAVING count(quotient) = count(*) AND abs(sum(quotient * size) / sum(size) - 1) > {tolerance}"""


def _european_members() -> str:
    areas = [
        f"(year {when} 2020 AND region_code IN ({', '.join(repr(code) for code in sorted(REFERENCE_AREAS[name]))}))"
        for name, when in (("EU28", "<"), ("EU27_2020", ">="))
    ]
    return f"region_scheme = 'nuts0' AND total IS NOT NULL AND ({' OR '.join(areas)})"


_JUMP = """(previous_year = year - 1 AND employment > 2000 AND employment - job_creation > 0
            AND abs(ln(employment / (employment - job_creation))) > 0.7)"""

_PRINTED = "employment_status IN ('reported', 'noised', 'rounded')"

DOMAIN: dict[str, dict[str, tuple[tuple[str, ...], str]]] = {
    "region_industry": {
        "withheld_is_never_zero": (
            ("region_industry",),
            """SELECT * FROM region_industry WHERE employment_status = 'withheld'
               AND (employment IS NOT NULL OR employment_reported IS NOT NULL)""",
        ),
        "what_is_not_withheld_has_a_figure": (
            ("region_industry",),
            "SELECT * FROM region_industry WHERE employment_status <> 'withheld' AND employment IS NULL",
        ),
        "printed_figures_stand": (
            ("region_industry",),
            f"SELECT * FROM region_industry WHERE {_PRINTED} AND employment IS DISTINCT FROM employment_reported",
        ),
        "figures_are_not_negative": (
            ("region_industry",),
            f"""SELECT * FROM region_industry WHERE industry_level <> 'not_allocated' AND {PLACED}
                AND (employment < 0 OR establishments < 0)""",
        ),
        "leaves_add_up_to_the_total": (("region_industry", "contradiction"), _leaves()),
    },
    "region_cluster": {
        "clusters_add_up_to_the_region": (("region_cluster", "region_total"), _add_up()),
        "all_clusters_are_there": (
            ("region_cluster", "cluster"),
            """SELECT n.source, n.year, k.cluster_code FROM cluster k, (SELECT DISTINCT source, year FROM region_cluster
                   WHERE region_scheme = 'us_nation') n
               WHERE k.cluster_code > 0 AND NOT EXISTS (SELECT 1 FROM region_cluster c WHERE c.source = n.source
                   AND c.year = n.year AND c.region_scheme = 'us_nation' AND c.cluster_code = k.cluster_code)""",
        ),
        "withheld_is_never_zero": (
            ("region_cluster",),
            "SELECT * FROM region_cluster WHERE employment_status = 'withheld' AND employment IS NOT NULL",
        ),
        "what_is_not_withheld_has_a_figure": (
            ("region_cluster",),
            "SELECT * FROM region_cluster WHERE employment_status <> 'withheld' AND employment IS NULL",
        ),
        "figures_are_not_negative": (
            ("region_cluster",),
            f"""SELECT * FROM region_cluster WHERE cluster_code <> -1 AND {PLACED}
                AND (employment < -1e-6 OR establishments < -1e-6)""",
        ),
        "quotients_fit_shares_of_their_class": (("region_cluster",), _american_quotient()),
        "region_shares_add_up_to_one": (("region_cluster",), _region_shares()),
        "european_quotients_average_to_one": (
            ("region_cluster", "region_total"),
            _mean_quotient(_european_members(), "1e-9"),
        ),
        "quotients_of_states_average_to_one": (
            ("region_cluster", "region_total"),
            _mean_quotient("region_scheme = 'us_state'", "0.05"),
        ),
        "missing_quotients_have_a_reason": (
            ("region_cluster",),
            """SELECT * FROM region_cluster WHERE cluster_code > 0 AND location_quotient IS NULL
               AND quotient_reason IS NULL""",
        ),
        "strong_clusters_are_significant_and_qualifying": (
            ("region_cluster",),
            """SELECT * FROM region_cluster WHERE (is_strong_top_decile AND NOT is_strong)
               OR (is_strong AND NOT is_significant) OR (is_significant AND NOT is_qualifying)
               OR (is_strong AND location_quotient < 1)""",
        ),
        "shift_share_parts_add_up": (
            ("region_cluster",),
            # Each part is written to ten digits of its own size, and two large ones may nearly cancel.
            """SELECT * FROM region_cluster
               WHERE abs(shift_reference + shift_mix + shift_regional - job_creation) > 1e-9 * greatest(
                   1, abs(shift_reference), abs(shift_mix), abs(shift_regional), abs(job_creation))""",
        ),
        "sudden_jumps_are_rare": (
            ("region_cluster",),
            f"""WITH parts AS (
                    SELECT source, avg(CASE WHEN {_JUMP} THEN 1.0 ELSE 0 END) AS part
                    FROM region_cluster WHERE cluster_code > 0 GROUP BY ALL)
                SELECT * FROM region_cluster JOIN parts USING (source)
                WHERE cluster_code > 0 AND {_JUMP} AND part > 0.005""",
        ),
    },
    "region_total": {
        "totals_are_the_published_ones": (("region_total", "region_industry"), _printed_total()),
        "classes_add_up_to_the_total": (
            ("region_total",),
            f"""SELECT * FROM region_total WHERE {
                _unequal(
                    "employment_traded + employment_local + employment_unclassified + employment_not_allocated",
                    "employment",
                )
            }""",
        ),
        "withheld_is_never_zero": (
            ("region_total",),
            "SELECT * FROM region_total WHERE employment_status = 'withheld' AND employment IS NOT NULL",
        ),
    },
    "region_cluster_common": {
        "strong_share_is_plausible": (
            ("region_cluster_common",),
            """SELECT level, variant, year, region_scheme LIKE 'us_%' AS is_us, avg(is_strong::INT) AS strong_share
               FROM region_cluster_common WHERE is_strong IS NOT NULL GROUP BY ALL
               HAVING strong_share NOT BETWEEN 0.08 AND 0.30""",
        ),
        "strong_needs_a_quotient_of_one": (
            ("region_cluster_common",),
            "SELECT * FROM region_cluster_common WHERE is_strong AND location_quotient < 1",
        ),
    },
    "conservation_ledger": {
        "nothing_is_lost_or_made_up": (
            ("conservation_ledger",),
            """SELECT * FROM conservation_ledger
               WHERE abs(amount_in - amount_out - amount_unmapped) > 1e-9 * greatest(1, abs(amount_in), abs(amount_out))
               OR abs(difference) > 1e-9 * greatest(1, abs(amount_in), abs(amount_out))""",
        ),
    },
    "industry_cluster": {
        "weights_of_an_industry_sum_to_one": (
            ("industry_cluster",),
            _weights("industry_cluster", "industry_scheme, industry_code"),
        ),
        "weights_lie_within_their_bounds": (
            ("industry_cluster",),
            "SELECT * FROM industry_cluster WHERE weight < weight_low - 1e-9 OR weight > weight_high + 1e-9",
        ),
    },
    "concordance": {
        "weights_of_a_code_sum_to_one": (
            ("concordance",),
            _weights("concordance", "from_scheme, from_code, to_scheme"),
        ),
    },
    "concordance_alternative": {
        "weights_of_a_code_sum_to_one": (
            ("concordance_alternative",),
            _weights("concordance_alternative", "from_scheme, from_code, to_scheme, weight_method"),
        ),
    },
    "region": {
        "parents_are_regions": (
            ("region",),
            """SELECT * FROM region r WHERE parent_code IS NOT NULL AND NOT EXISTS (SELECT 1 FROM region p
               WHERE p.region_scheme = r.parent_scheme AND p.region_code = r.parent_code)""",
        ),
        "codes_fit_their_scheme": (
            ("region",),
            """SELECT * FROM region WHERE NOT regexp_full_match(region_code, CASE region_scheme
               WHEN 'us_nation' THEN 'US' WHEN 'us_state' THEN '[0-9]{2}' WHEN 'eu_aggregate' THEN 'EU[0-9_]+'
               WHEN 'nuts0' THEN '[A-Z]{2}' WHEN 'nuts1' THEN '[A-Z]{2}[A-Z0-9]' WHEN 'nuts2' THEN '[A-Z]{2}[A-Z0-9]{2}'
               WHEN 'nuts3' THEN '[A-Z]{2}[A-Z0-9]{3}' ELSE '[0-9]{5}' END)""",
        ),
    },
    "estimate_quality": {
        "bands_cover_what_they_promise": (
            ("estimate_quality",),
            """SELECT * FROM estimate_quality WHERE sector = 'ALL' AND is_calibrated AND cells >= 400
               AND (band_coverage_high < 0.7 OR band_coverage_low > 0.9)""",
        ),
    },
    "reconciliation": {
        "differences_have_a_reason": (
            ("reconciliation",),
            """SELECT * FROM reconciliation WHERE reason IS NULL AND published IS NOT NULL AND (rebuilt IS NULL
               OR abs(published - rebuilt) > greatest(1e-6 * abs(published), 1e-5))""",
        ),
        "few_differences_are_unexplained": (
            ("reconciliation",),
            """WITH told AS (
                   SELECT *, avg((reason = 'unexplained')::INT) OVER (PARTITION BY portal, basis, measure) AS part
                   FROM reconciliation WHERE published IS NOT NULL)
               SELECT * FROM told WHERE reason = 'unexplained' AND part > 0.01""",
        ),
    },
    "region_partner": {
        "partners_are_across_the_atlantic": (
            ("region_partner",),
            """SELECT * FROM region_partner WHERE (region_scheme LIKE 'us_%') = (partner_scheme LIKE 'us_%')""",
        ),
    },
}
