"use strict";
/* All that is known of one region's cluster, under the names of the published tables: for the details and the CSV. */

const US_FLAGS = ["is_qualifying", "is_significant", "is_strong", "is_strong_top_decile"];
const EU_FLAGS = ["star_size", "star_specialisation", "star_focus"];

/* Flags of a cell by name; null for one that is not known. */
function flagsOf(cells, row, cluster) {
  const digit = cells.letter("native", "flags", row, cluster);
  const names = sideOf(cells.keys[row]) === "us" ? US_FLAGS : EU_FLAGS;
  return Object.fromEntries([...US_FLAGS, ...EU_FLAGS].map((name) => {
    const bit = names.indexOf(name);
    return [name, digit === null || bit < 0 ? null : Boolean((parseInt(digit, 16) >> bit) & 1)];
  }));
}

function strongOf(cells, group, row, cluster) {
  const letter = cells.letter(group, "is_strong", row, cluster);
  return letter === null ? null : letter === "1";
}

function record(page, cells, row, cluster) {
  const key = cells.keys[row];
  const region = page.regionOf.get(key);
  const native = (column) => cells.number("native", column, row, cluster);
  const full = (column) => cells.number("full", column, row, cluster);
  const coarse = (column) => cells.number("coarse", column, row, cluster);
  return {
    version: page.version,
    is_invented: page.is_invented,
    level: cells.level,
    year: cells.year,
    source: cells.source(row),
    source_year: cells.sourceYear(row),
    region_scheme: key.split(":")[0],
    region_code: key.split(":")[1],
    region_name: region ? region.name : null,
    country_code: region ? region.country : null,
    cluster_code: cluster,
    cluster_name: page.clusterOf.get(cluster).cluster_name,
    employment: native("employment"),
    employment_low: native("employment_low"),
    employment_high: native("employment_high"),
    employment_band_low: native("employment_band_low"),
    employment_band_high: native("employment_band_high"),
    employment_status: (STATUS[cells.letter("native", "employment_status", row, cluster)] || [null])[0],
    grade: cells.letter("native", "grade", row, cluster),
    establishments: native("establishments"),
    average_wage: native("average_wage"),
    currency_code: cells.currency(row),
    location_quotient: native("location_quotient"),
    quotient_reason: cells.word("native", "quotient_reason", row, cluster),
    region_share: native("region_share"),
    cluster_share: native("cluster_share"),
    previous_year: cells.previousYear(row),
    employment_growth_rate: native("employment_growth_rate"),
    ...flagsOf(cells, row, cluster),
    common_employment: full("employment"),
    common_employment_band_low: full("employment_band_low"),
    common_employment_band_high: full("employment_band_high"),
    common_location_quotient: full("location_quotient"),
    common_is_strong: strongOf(cells, "full", row, cluster),
    common_strong_probability: full("strong_probability"),
    common_grade: cells.letter("full", "grade", row, cluster),
    common_reason: cells.word("full", "reason", row, cluster),
    common_covered_share: cells.coveredShare(row, cluster),
    coarse_location_quotient: coarse("location_quotient"),
    coarse_is_strong: strongOf(cells, "coarse", row, cluster),
    coarse_strong_probability: coarse("strong_probability"),
    coarse_grade: cells.letter("coarse", "grade", row, cluster),
  };
}

function totalRecord(page, cells, row) {
  const key = cells.keys[row];
  const region = page.regionOf.get(key);
  const total = (column) => cells.number("totals", column, row);
  return {
    version: page.version,
    is_invented: page.is_invented,
    level: cells.level,
    year: cells.year,
    source: cells.source(row),
    source_year: cells.sourceYear(row),
    region_scheme: key.split(":")[0],
    region_code: key.split(":")[1],
    region_name: region ? region.name : null,
    country_code: region ? region.country : null,
    employment: total("employment"),
    employment_status: (STATUS[cells.letter("totals", "employment_status", row)] || [null])[0],
    employment_traded: total("employment_traded"),
    employment_local: total("employment_local"),
    cluster_strength: total("cluster_strength"),
    portfolio_entropy: total("portfolio_entropy"),
  };
}
