"use strict";
/* Organisations and the statistics held against each other: who is where, and what each side says nothing of. */

const GAPS = {
  placed: "nothing in the list says what it does",
  measured: "the cluster or the region is not measured",
  told: "whether the cluster is strong there is not known",
  strong: "the cluster is not strong there",
};

/* Why an organisation's cluster is not strong in its regions; null where it is, or where it lies in no region. */
function gapOf(cells, one) {
  if (one.link_rank !== 1 && one.link_method !== "decision") return null;
  if (!one.regions.length) return null;
  if (one.cluster_code < 0) return GAPS.placed;
  const rows = one.regions.map((key) => cells.rows.get(key)).filter((row) => row !== undefined);
  if (one.cluster_code > 100 || !rows.length || !cells.has("full")) return GAPS.measured;
  const flags = rows.map((row) => strongOf(cells, "full", row, one.cluster_code));
  if (flags.includes(true)) return null;
  return flags.includes(null) ? GAPS.told : GAPS.strong;
}

const clusterLink = (page, state, code) => (page.clusterOf.has(code)
  ? h("a", { href: linkTo(state, { view: "cluster", id: code, cluster: code }) }, page.clusterOf.get(code).cluster_name) : "not placed");

/* Where an organisation says it is; a link where that is a region of the page, or where one of them holds it. */
function organisationsRegion(page, state, one) {
  const key = `${one.region_scheme}:${one.region_code}`;
  const name = one.region_name || one.region_code || "–";
  const shown = page.regionOf.has(key) ? key : one.regions.find((other) => page.regionOf.get(other).level === state.level);
  return shown ? h("a", { href: linkTo(state, { view: "region", id: shown }) }, name) : name;
}

function organisationsPart(page, state, cells, organisations, rows, where) {
  if (!organisations.rows.length) return h("p", {}, "This version has no list of organisations: whoever runs it configures one.");
  if (!rows.length) return h("p", {}, `No organisation of the list is ${where}.`);
  const columns = [
    { name: "Organisation", sort: (one) => one.organisation_name, cell: (one) => h("span", {}, one.organisation_name || one.organisation_id, h("span", { class: "under" }, one.country_code || "")) },
    { name: "Region", sort: (one) => one.region_name, cell: (one) => organisationsRegion(page, state, one) },
    { name: "Cluster", sort: (one) => one.cluster_code, cell: (one) => clusterLink(page, state, one.cluster_code) },
    { name: "Link", number: true, sort: (one) => one.score ?? NaN, cell: (one) => (one.score === null ? "–" : one.score.toFixed(2)) },
    { name: "Placed by", cell: (one) => `${one.link_method}${one.evidence ? `: ${one.evidence}` : ""}` },
    { name: "Beside the figures", cell: (one) => gapOf(cells, one) || "–" },
  ];
  const sorted = d3.sort(rows, (a, b) => d3.descending(a.score ?? -1, b.score ?? -1) || d3.ascending(a.organisation_name, b.organisation_name));
  return makeTable({
    caption: `Cluster organisations ${where}`, columns, rows: sorted, shown: 15,
    file: {
      name: csvName(page, `organisations-${where.replaceAll(" ", "-")}`),
      records: () => sorted.map((one) => ({
        version: page.version, is_invented: page.is_invented, year: cells.year, organisation_id: one.organisation_id, organisation_name: one.organisation_name,
        country_code: one.country_code, region_scheme: one.region_scheme, region_code: one.region_code, cluster_code: one.cluster_code,
        link_rank: one.link_rank, score: one.score, link_method: one.link_method, evidence: one.evidence, gap: gapOf(cells, one),
      })),
    },
  });
}

/* Of strong cells (region, cluster), those for which the list has nobody. */
function lacking(organisations, strong) {
  const there = new Set(organisations.rows.flatMap((one) => one.regions.map((key) => `${key}~${one.cluster_code}`)));
  return strong.filter(([key, cluster]) => !there.has(`${key}~${cluster}`));
}

function lackingPart(page, state, organisations, strong) {
  const found = organisations.rows.length ? lacking(organisations, strong) : [];
  if (!found.length) return null;
  return h("p", {}, "Strong here, without an organisation in the list: ",
    ...found.flatMap(([, code], i) => [i ? ", " : "", clusterLink(page, state, code)]), ".");
}

async function viewOrganisations(page, state) {
  const [cells, organisations] = await Promise.all([loadCells(state.year, state.level), Clusterbridge.load("organisations")]);
  const title = `Cluster organisations beside the figures of ${state.year}`;
  announce(title);
  const heading = [h("h1", { tabindex: "-1" }, title)];
  if (!organisations.rows.length) {
    return { title, cells, content: [...heading, organisationsPart(page, state, cells, organisations, [], "")] };
  }
  const strong = cells.keys.flatMap((key, row) => page.traded.filter((code) => strongOf(cells, "full", row, code)).map((code) => [key, code]));
  const quotient = ([key, code]) => cells.number("full", "location_quotient", cells.rows.get(key), code);
  const gaps = d3.sort(lacking(organisations, strong), (a, b) => d3.descending(quotient(a), quotient(b)));
  const without = organisations.rows.filter((one) => gapOf(cells, one));
  return {
    title,
    cells,
    content: [
      ...heading,
      h("p", { class: "lead" }, `${new Set(organisations.rows.map((one) => one.organisation_id)).size} organisations, `
        + `${strong.length} strong clusters of ${LEVEL[state.level].us} and ${LEVEL[state.level].eu} under one rule.`),
      organisationsPart(page, state, cells, organisations, organisations.rows, "of both sides"),
      h("h2", {}, "Strong clusters without an organisation"),
      gaps.length ? makeTable({
        caption: "Strong clusters without an organisation, the most specialised first", rows: gaps, shown: 20,
        columns: [
          { name: "Region", sort: ([key]) => page.regionOf.get(key).name, cell: ([key]) => regionName(page, state, key) },
          { name: "Cluster", sort: ([, code]) => code, cell: ([, code]) => clusterLink(page, state, code) },
          { name: "Location quotient, one rule", number: true, sort: quotient, cell: ([key, code]) => numberButton(state, key, code, figure(quotient([key, code]), "quotient", cells.letter("native", "employment_status", cells.rows.get(key), code))) },
        ],
        file: {
          name: csvName(page, `strong-without-organisation-${state.level}-${state.year}`),
          records: () => gaps.map(([key, code]) => record(page, cells, cells.rows.get(key), code)),
        },
      }) : h("p", {}, "None."),
      h("h2", {}, "Organisations without a strong cluster"),
      without.length ? organisationsPart(page, state, cells, organisations, without, "without a strong cluster in their regions") : h("p", {}, "None."),
    ],
  };
}
