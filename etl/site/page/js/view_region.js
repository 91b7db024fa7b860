"use strict";
/* A region's profile: portfolio, strength, growth, partners, organisations. */

const PARTNER_KINDS = {
  twin: ["Twins", "Regions across the Atlantic whose clusters are the most alike."],
  twin_related: ["Twins, related clusters counted", "As before, but related clusters count as partly alike."],
  complement: ["Complements", "Regions strong in clusters that are related to this region's own: links run from here to there."],
};

const CURVES = 6;

async function viewRegion(page, state) {
  const region = page.regionOf.get(state.id);
  if (!region) return notFound(page, state, `No region ${state.id} in this version`);
  const [cells, series, organisations] = await Promise.all([
    loadCells(state.year, state.level), Clusterbridge.load(`series-${state.level}`), Clusterbridge.load("organisations"),
  ]);
  const row = cells.rows.get(state.id);
  const title = `${region.name} (${state.id.split(":")[1]}), ${state.year}`;
  const heading = [h("h1", { tabindex: "-1" }, title), h("p", { class: "lead" }, `${SCHEME[state.id.split(":")[0]]}${region.country === "US" ? "" : `, ${region.country}`}`)];
  if (row === undefined) {
    return { title, cells, content: [...heading, h("p", { class: "tally" }, `No figures of ${state.year}: choose another year above.`)] };
  }
  const traded = page.traded.map((cluster) => record(page, cells, row, cluster));
  const local = page.local.map((cluster) => record(page, cells, row, cluster));
  const told = (column) => traded.filter((one) => known(one[column])).length;
  const quotient = told("common_location_quotient") >= told("location_quotient") ? "common_location_quotient" : "location_quotient";
  announce(title);
  return {
    title,
    cells,
    content: [
      ...heading,
      strengthPart(page, state, cells, row, traded),
      h("h2", {}, "Portfolio"),
      portfolioPart(page, state, cells, row, traded, quotient),
      h("h2", {}, "Growth"),
      ...growthPart(page, state, series, traded),
      h("h2", {}, "Partners across the Atlantic"),
      ...partnersPart(page, state, cells, row, organisations),
      h("h2", {}, "Cluster organisations"),
      organisationsPart(page, state, cells, organisations, organisations.rows.filter((one) => one.regions.includes(state.id)), "in this region"),
      lackingPart(page, state, organisations, traded.filter((one) => one.common_is_strong).map((one) => [state.id, one.cluster_code])),
      h("h2", {}, "Local clusters"),
      clusterTable(page, state, cells, row, local, `Local clusters of ${region.name}, ${state.year}`),
    ],
  };
}

function strengthPart(page, state, cells, row, traded) {
  const total = totalRecord(page, cells, row);
  const status = cells.letter("totals", "employment_status", row);
  const opened = (value, format) => numberButton(state, state.id, "all", figure(value, format, status));
  const side = sideOf(state.id);
  const ours = traded.filter((one) => ["bounded", "estimated", "modelled"].includes(one.employment_status)).length;
  const unsure = traded.filter((one) => one.grade === "D").length;
  return h("section", {},
    h("dl", { class: "facts" },
      card("Employment", opened(total.employment, "persons"), badges(status, null)),
      card("In traded clusters", opened(total.employment_traded, "persons")),
      card("Cluster strength", opened(total.cluster_strength, "percent")),
      card("Strong clusters, one rule", strongCount(traded.map((one) => one.common_is_strong))),
      side === "us" ? card("Strong clusters, American rule", strongCount(traded.map((one) => one.is_strong)))
        : card("Clusters with two or more stars", strongCount(traded.map(hasTwoStars)))),
    h("p", { class: "tally" }, `Of 51 traded clusters ${ours} have a figure that is modelled or estimated, ${unsure} of grade D. `,
      `Source: ${sourceName(page, total.source)}, ${total.source_year}.`));
}

const hasTwoStars = (one) => (EU_FLAGS.every((name) => one[name] === null) ? null : EU_FLAGS.filter((name) => one[name]).length >= 2);

function sourceName(page, name) {
  const source = page.sourceOf.get(name);
  return source ? `${source.title} (${source.publisher})` : name;
}

function portfolioPart(page, state, cells, row, traded, quotient) {
  const rule = quotient.startsWith("common") ? "one rule for both sides" : "its own side's rule";
  const region = page.regionOf.get(state.id);
  const title = (up) => `Traded clusters of ${region.name}, ${state.year}: location quotient (${rule}), ${up}, employment (size). `
    + "Orange: strong. Filled: printed figures; hollow: modelled or estimated";
  return h("div", {},
    portfolioChart(traded, quotient, title, (cluster) => page.clusterOf.get(cluster).short_name) || h("p", {}, "Too few figures for a chart."),
    h("p", { class: "actions" }, downloadButton("Download this profile (CSV)", csvName(page, `${state.id.replace(":", "-")}-${state.year}`),
      () => [...traded, ...page.local.map((cluster) => record(page, cells, row, cluster))])),
    clusterTable(page, state, cells, row, traded, `Traded clusters of ${region.name}, ${state.year}, the largest first`));
}

function clusterTable(page, state, cells, row, records, caption) {
  const isTraded = records.length && records[0].cluster_code < 100;
  const statusOf = (one) => cells.letter("native", "employment_status", row, one.cluster_code);
  const opened = (one, column, format) => numberButton(state, state.id, one.cluster_code, figure(one[column], format, statusOf(one)));
  const columns = [
    { name: "Cluster", sort: (one) => one.cluster_name, cell: (one) => h("a", { href: linkTo(state, { view: "cluster", id: one.cluster_code, cluster: one.cluster_code }) }, one.cluster_name) },
    { name: "Employment", number: true, sort: (one) => one.employment, cell: (one) => opened(one, "employment", "persons") },
    { name: "80 % band", number: true, cell: (one) => range(one.employment_band_low, one.employment_band_high) || "–" },
    { name: "Share", number: true, sort: (one) => one.region_share, cell: (one) => figure(one.region_share, "percent") },
    ...(isTraded ? [{ name: "Location quotient, one rule", number: true, sort: (one) => one.common_location_quotient, cell: (one) => opened(one, "common_location_quotient", "quotient") }] : []),
    ...(records.some((one) => known(one.location_quotient)) ? [{ name: "Location quotient, own side", number: true, sort: (one) => one.location_quotient, cell: (one) => opened(one, "location_quotient", "quotient") }] : []),
    ...(isTraded ? [{ name: "Strong", brief: true, sort: (one) => one.common_strong_probability, cell: strongText }] : []),
    ...(records.some((one) => known(one.employment_growth_rate)) ? [{ name: "Growth a year", number: true, sort: (one) => one.employment_growth_rate, cell: (one) => (known(one.employment_growth_rate) ? figure(one.employment_growth_rate, "growth").replace(" a year", "") : "–") }] : []),
    { name: "Status", sort: (one) => one.employment_status || "", cell: (one) => badges(statusOf(one), one.grade) },
  ];
  const rows = d3.sort(records, (a, b) => d3.descending(a.employment, b.employment));
  return makeTable({ caption, columns, rows, shown: 20 });
}

/* Under the common rule where it speaks, with its chance; else by the side's own rule. */
function strongText(one) {
  if (one.common_is_strong !== null) {
    return `${one.common_is_strong ? "yes" : "no"}${known(one.common_strong_probability) ? ` (chance ${write.percent(one.common_strong_probability)})` : ""}`;
  }
  if (one.is_strong !== null) return `${one.is_strong ? "yes" : "no"} (US rule)`;
  const stars = EU_FLAGS.filter((name) => one[name]).length;
  return EU_FLAGS.some((name) => one[name] !== null) ? `${stars} of 3 stars` : "not told";
}

/* Curves of the region's largest clusters, over all years. */
function growthPart(page, state, series, traded) {
  const place = series.regions.indexOf(state.id);
  const clusters = d3.sort(traded.filter((one) => one.employment > 0), (one) => -one.employment).slice(0, CURVES).map((one) => one.cluster_code);
  if (place < 0 || !clusters.length) return [h("p", {}, "No figures over time.")];
  const lines = clusters.map((cluster) => ({ name: page.clusterOf.get(cluster).short_name, cluster, points: [] }));
  series.years.forEach((year, i) => {
    const values = readNumbers(series.employment[i]);
    const source = readNumbers(series.sources[i].codes)[place];
    for (const line of lines) {
      const value = values[place * page.traded.length + page.traded.indexOf(line.cluster)];
      if (!Number.isNaN(value)) line.points.push({ year, value, source: series.sources[i].words[source] });
    }
  });
  const region = page.regionOf.get(state.id);
  const chart = seriesChart(lines, `Employment of the ${lines.length} largest traded clusters of ${region.name}, as the source counts it`);
  if (!chart) return [h("p", {}, "One year alone: nothing to draw.")];
  const years = [...new Set(lines.flatMap((line) => line.points.map((point) => point.year)))];
  const at = (line, year) => line.points.find((point) => point.year === year);
  return [chart, h("details", {}, h("summary", {}, "These curves as a table"), makeTable({
    caption: `Employment by year, ${region.name}`,
    file: {
      name: csvName(page, `${state.id.replace(":", "-")}-by-year`),
      records: () => lines.flatMap((line) => line.points.map((point) => ({
        version: page.version, is_invented: page.is_invented, region_scheme: state.id.split(":")[0], region_code: state.id.split(":")[1],
        cluster_code: line.cluster, cluster_name: line.name, year: point.year, source: point.source, employment: point.value,
      }))),
    },
    columns: [{ name: "Cluster", cell: (line) => line.name },
      ...years.map((year) => ({ name: String(year), number: true, cell: (line) => (at(line, year) ? count(at(line, year).value) : "–") }))],
    rows: lines,
  }))];
}

function partnersPart(page, state, cells, row, organisations) {
  const partners = cells.partners(row);
  if (!partners.length) return [h("p", {}, "None in this version and year: partners need enough figures of grade C or better on both sides.")];
  const kinds = Object.keys(PARTNER_KINDS).filter((kind) => partners.some((one) => one.kind === kind));
  return [
    ...kinds.map((kind) => h("section", {},
      h("h3", {}, PARTNER_KINDS[kind][0]), h("p", {}, PARTNER_KINDS[kind][1]),
      partnerTable(page, state, cells, row, partners.filter((one) => one.kind === kind), PARTNER_KINDS[kind][0], organisations))),
    h("p", { class: "actions" }, downloadButton("Download these partners (CSV)", csvName(page, `${state.id.replace(":", "-")}-partners-${state.year}`),
      () => partners.map((one) => ({
        version: page.version, is_invented: page.is_invented, level: state.level, year: state.year,
        region_scheme: state.id.split(":")[0], region_code: state.id.split(":")[1],
        partner_scheme: one.partner.split(":")[0], partner_code: one.partner.split(":")[1], partner_name: page.regionOf.get(one.partner).name,
        kind: one.kind, partner_rank: one.rank, score: one.score, score_low: one.low, score_high: one.high,
        explaining_clusters: one.explaining, size_ratio: one.ratio,
      })))),
  ];
}

function partnerTable(page, state, cells, row, partners, caption, organisations) {
  const columns = [
    { name: "Rank", number: true, rises: true, sort: (one) => one.rank, cell: (one) => String(one.rank) },
    { name: "Partner", isHead: true, sort: (one) => page.regionOf.get(one.partner).name, cell: (one) => regionName(page, state, one.partner) },
    { name: "Score, 80 % band", number: true, sort: (one) => one.score, cell: (one) => `${one.score.toFixed(2)}${known(one.low, one.high) ? ` (${one.low.toFixed(2)} to ${one.high.toFixed(2)})` : ""}` },
    { name: "Because of", cell: (one) => explaining(page, state, cells, row, one.explaining) },
    ...(organisations.rows.length ? [{ name: "Organisations there", cell: (one) => partnersOrganisations(organisations, one) }] : []),
    { name: "Size to this region", number: true, sort: (one) => one.ratio, cell: (one) => (known(one.ratio) ? `${one.ratio.toFixed(2)} ×` : "–") },
  ];
  return makeTable({ caption, columns, rows: partners, shown: 10 });
}

/* Those who are there for one of the clusters that explain the pair. */
function partnersOrganisations(organisations, one) {
  const clusters = new Set(one.explaining.split(/[,>]/).map(Number));
  const names = organisations.rows.filter((row) => row.regions.includes(one.partner) && clusters.has(row.cluster_code)).map((row) => row.organisation_name);
  return [...new Set(names)].join("; ") || "–";
}

/* Codes such as 4,32 or, for complements, 4>32,23>27, as names with links. Regions are alike in what both lack, too. */
function explaining(page, state, cells, row, text) {
  const name = (code) => h("a", { href: linkTo(state, { view: "cluster", id: code, cluster: code }) }, page.clusterOf.get(code).short_name);
  const isLittle = (part) => !part.includes(">") && cells.number("full", "location_quotient", row, Number(part)) < 1;
  return h("span", { class: "because" }, text.split(",").filter(Boolean).flatMap((part, i) => [
    i ? "; " : "", ...part.split(">").flatMap((code, j) => [j ? " → " : "", name(Number(code))]), isLittle(part) ? " (little of it)" : "",
  ]));
}
