"""Thresholds, comparison sets and reference areas of the measures, each with where it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

# How many regions make a comparison set whole. The 50 states and 179 economic areas must all be there (Puerto Rico's
# area is outside County Business Patterns); 917 is the smallest list of metropolitan areas in use; of 3,143 counties
# a few have no establishment in some years and then no row.
US_REGIONS: Mapping[str, int] = {
    "us_nation": 1,
    "us_state": 50,
    "us_economic_area": 179,
    "us_cbsa": 917,
    "us_county": 3110,
}
DISTRICT_OF_COLUMBIA = "11"

EU27_2020 = (
    *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "EL", "ES", "FI", "FR", "HR", "HU"),
    *("IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
)
EU28 = tuple(sorted((*EU27_2020, "UK")))
REFERENCE_AREAS: Mapping[str, tuple[str, ...]] = {"EU28": EU28, "EU27_2020": EU27_2020}

# Comparable levels: regions of like size on both sides.
LEVELS: Mapping[str, tuple[str, str]] = {"L": ("us_state", "nuts1"), "M": ("us_economic_area", "nuts2")}

# Sources that publish regions in more detail than the two digits of Eurostat's: degraded in the coarse variant.
DETAILED_SOURCES = ("census_cbp", "bls_qcew", "uk_bres")


def reference_area_of(year: int) -> str:
    """The European reference area of a year: EU28 to 2019, EU27_2020 from 2020."""
    return "EU28" if year <= 2019 else "EU27_2020"


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number of a rule, and whether a public document states it (`is_sure`) or it is taken from general knowledge."""

    value: float
    is_sure: bool

    @property
    def label(self) -> str:
        """How sure the number is, in a word."""
        return "documented" if self.is_sure else "unsure"


@dataclass(frozen=True, slots=True)
class StarRule:
    """One edition of the European star rule.

    `size_share`, `focus_share`: the star goes to this share of the regions, the largest. `specialisation`: quotient at
    or above this number; `specialisation_share`: or among this share of the regions. None: the edition has no such
    star. `minimum`: persons below which no star is given.
    """

    edition: str
    size_share: Threshold
    minimum: Threshold
    specialisation: Threshold | None = None
    specialisation_share: Threshold | None = None
    focus_share: Threshold | None = None

    @property
    def label(self) -> str:
        """Edition, thresholds, and how sure each is: the text published beside the stars."""
        parts = [f"size: top {self.size_share.value:.0%} ({self.size_share.label})"]
        if self.specialisation:
            parts.append(f"specialisation: at least {self.specialisation.value:g} ({self.specialisation.label})")
        if self.specialisation_share:
            share = self.specialisation_share
            parts.append(f"specialisation: top {share.value:.0%} ({share.label})")
        if self.focus_share:
            parts.append(f"focus: top {self.focus_share.value:.0%} ({self.focus_share.label})")
        parts.append(f"at least {self.minimum.value:,.0f} persons ({self.minimum.label})")
        return f"{self.edition}; {'; '.join(parts)}"


# European Cluster Observatory, site of 2007 to 2011: the size rule and the quotient's formula are on its pages; the
# quotient's threshold, the cut-off of focus and the minimum are not.
OBSERVATORY_2011 = StarRule(
    edition="European Cluster Observatory 2007-2011",
    size_share=Threshold(0.10, is_sure=True),
    specialisation=Threshold(2.0, is_sure=False),
    focus_share=Threshold(0.10, is_sure=False),
    minimum=Threshold(1000, is_sure=False),
)
# European Cluster Panorama 2014 and 2016: stars to the top fifth in each dimension. It scored productivity and
# dynamism in place of focus.
PANORAMA_2016 = StarRule(
    edition="European Cluster Panorama 2014/2016",
    size_share=Threshold(0.20, is_sure=False),
    specialisation_share=Threshold(0.20, is_sure=False),
    minimum=Threshold(0, is_sure=False),
)
STAR_RULES: Mapping[str, StarRule] = {"observatory_2011": OBSERVATORY_2011, "panorama_2016": PANORAMA_2016}


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything about the measures that may be set.

    `reference_minimum_share`: the members of a European reference area that have figures must hold this share of its
    reported employment, else native quotients are null. The `common_` settings belong to `region_cluster_common`:
    years the two sides may lie apart; share of a cluster's industries both sides must cover; share of a level's
    regions that must be there; pooled quantile a strong cluster reaches; number of draws; `common_reference` the
    countries of the reference area besides the USA (empty: those with data). `precedence`: which source speaks for a
    region, first come first served; a source that is not listed feeds no common measure.
    """

    stars: StarRule = OBSERVATORY_2011
    us_regions: Mapping[str, int] = field(default_factory=lambda: dict(US_REGIONS))
    reference_minimum_share: float = 0.95
    common_year_window: int = 2
    common_coverage: float = 0.80
    common_pool: float = 0.90
    common_quantile: float = 0.80
    common_draws: int = 200
    common_reference: tuple[str, ...] = ()
    precedence: tuple[str, ...] = ("census_cbp", "bls_qcew", "uk_bres", "eurostat_sbs_ebs", "eurostat_sbs")
