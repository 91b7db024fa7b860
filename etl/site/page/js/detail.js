"use strict";
/* What stands behind a number: status, band, grade, rule, source. Opened by a click, and by a link of its own. */

/* A number that opens its details. */
function numberButton(state, key, cluster, text) {
  return h("a", { class: "opens", href: linkTo(state, { cell: `${key}~${cluster}` }) }, text);
}

function fact(name, ...value) {
  return [h("dt", {}, name), h("dd", {}, ...value)];
}

/* The same as a card of its own, for the head of a profile. */
const card = (name, ...value) => h("div", { class: "card" }, fact(name, ...value));

const yesNo = (value) => (value === null ? "not told" : value ? "yes" : "no");

function showDetail(page, state, cells) {
  const dialog = document.getElementById("detail");
  const [key, code] = state.cell.split("~");
  const row = cells.rows.get(key);
  const cluster = code === "all" ? "all" : Number(code);
  if (row === undefined || (cluster !== "all" && !page.clusterOf.has(cluster))) return;
  const content = cluster === "all" ? totalDetail(page, state, cells, row) : cellDetail(page, state, cells, row, cluster);
  dialog.replaceChildren(...[
    h("button", { type: "button", id: "detail-close", "aria-label": "Close", onclick: () => dialog.close() }, "×"),
    page.is_invented ? h("p", { class: "warning" }, h("strong", {}, "Invented figure."), " Never quote it.") : null,
    ...content,
    h("p", { class: "actions" },
      h("a", { class: "action", href: linkTo(state, { view: "region", id: key }) }, "Profile of the region"),
      cluster === "all" ? null
        : h("a", { class: "action", href: linkTo(state, { view: "cluster", id: cluster, cluster }) }, "Profile of the cluster")),
  ].filter((part) => part !== null));
  if (!dialog.open) dialog.showModal();
  document.getElementById("detail-title").focus();
}

function cellDetail(page, state, cells, row, cluster) {
  const key = cells.keys[row];
  const found = record(page, cells, row, cluster);
  const status = cells.letter("native", "employment_status", row, cluster);
  const [statusName, meaning] = STATUS[status] || ["none", "the source says nothing of this cluster here"];
  const flags = sideOf(key) === "us"
    ? [["Strong cluster", found.is_strong], ["Significant", found.is_significant], ["Strong, top tenth", found.is_strong_top_decile]]
    : [["Size star", found.star_size], ["Specialisation star", found.star_specialisation], ["Focus star", found.star_focus]];
  return [
    h("h2", { id: "detail-title", tabindex: "-1" }, `${found.cluster_name} in ${found.region_name}, ${found.source_year}`),
    h("p", { class: isModelled(status) ? "verdict modelled" : "verdict" },
      badges(status, found.grade),
      ` Employment ${figure(found.employment, "persons", status)}: ${statusName}, ${meaning}.`),
    h("dl", {},
      fact("80 % band", range(found.employment_band_low, found.employment_band_high) || "none given"),
      fact("Certain bounds", range(found.employment_low, found.employment_high) || "none given"),
      fact("Grade", found.grade ? `${found.grade}: ${GRADE[found.grade]}` : "none without a figure")),
    cluster < 100 ? commonPart(cells, found, status) : null,
    h("h3", {}, "By its own side's rule"),
    h("dl", {},
      fact("Location quotient", Number.isNaN(found.location_quotient)
        ? `${NO_FIGURE}${found.quotient_reason ? `: ${found.quotient_reason}` : ""}` : figure(found.location_quotient, "quotient", status)),
      fact("Share of the region", figure(found.region_share, "percent", status)),
      fact("Share of the cluster", figure(found.cluster_share, "percent", status)),
      fact("Growth", Number.isNaN(found.employment_growth_rate) ? NO_FIGURE
        : `${figure(found.employment_growth_rate, "growth", status)} since ${found.previous_year}`),
      fact("Establishments", figure(found.establishments, "persons")),
      fact("Average wage", Number.isNaN(found.average_wage) ? NO_FIGURE : `${count(found.average_wage)} ${found.currency_code || ""}`),
      ...flags.map(([name, value]) => fact(name, yesNo(value)))),
    ...sourcePart(page, cells, row),
    h("p", { class: "command" }, "Every step of it: ", h("code", {}, `clusterbridge explain ${key} ${cluster} ${found.source_year}`)),
  ].filter((part) => part !== null);
}

function commonPart(cells, found, status) {
  if (!cells.has("full")) return h("p", {}, "The two sides are not compared in this year.");
  return h("section", {},
    h("h3", {}, "Under one rule for both sides"),
    h("dl", {},
      fact("Location quotient", figure(found.common_location_quotient, "quotient", status)),
      fact("Strong cluster", yesNo(found.common_is_strong)),
      fact("Chance of being strong", figure(found.common_strong_probability, "percent")),
      fact("Employment covered by both", figure(found.common_employment, "persons", status),
        ` (80 % band ${range(found.common_employment_band_low, found.common_employment_band_high) || "not given"})`),
      fact("Grade", found.common_grade ? `${found.common_grade}: ${GRADE[found.common_grade]}` : "none without a figure"),
      fact("Industries covered by the source", figure(found.common_covered_share, "percent")),
      fact("At the same coarse detail", figure(found.coarse_location_quotient, "quotient", status),
        found.coarse_is_strong === null ? "" : found.coarse_is_strong ? ", strong" : ", not strong"),
      found.common_reason ? fact("Remark", found.common_reason) : []));
}

function totalDetail(page, state, cells, row) {
  const found = totalRecord(page, cells, row);
  const status = cells.letter("totals", "employment_status", row);
  const [statusName, meaning] = STATUS[status] || ["none", "the source says nothing"];
  return [
    h("h2", { id: "detail-title", tabindex: "-1" }, `All traded clusters of ${found.region_name}, ${found.source_year}`),
    h("p", { class: isModelled(status) ? "verdict modelled" : "verdict" }, badges(status, null),
      ` Employment ${figure(found.employment, "persons", status)}: ${statusName}, ${meaning}.`),
    h("dl", {},
      fact("In traded clusters", figure(found.employment_traded, "persons", status)),
      fact("In local clusters", figure(found.employment_local, "persons", status)),
      fact("Cluster strength", figure(found.cluster_strength, "percent", status)),
      fact("Variety", figure(found.portfolio_entropy, "bits", status), " bits")),
    ...sourcePart(page, cells, row),
  ];
}

function sourcePart(page, cells, row) {
  const source = page.sourceOf.get(cells.source(row));
  if (!source) return [];
  return [
    h("h3", {}, "Source"),
    h("dl", {},
      fact("Statistics", `${source.title}, ${source.publisher}, ${cells.sourceYear(row)}`),
      fact("What is counted", source.concept || "not told"),
      fact("Covered", source.coverage || "not told"),
      fact("Reuse", [source.licence, source.attribution].filter(Boolean).join(". "))),
  ];
}
