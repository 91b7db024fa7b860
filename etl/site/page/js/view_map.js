"use strict";
/* The map of both sides, and the same as a table. */

function mapRows(page, cells, state) {
  const measure = measureOf(state.measure);
  return cells.keys.map((key, row) => {
    const shown = shownFigure(cells, measure, row, state.cluster);
    const region = page.regionOf.get(key);
    const reason = state.cluster === "all" ? null
      : cells.word(...(measure.group === "native" ? ["native", "quotient_reason"] : ["full", "reason"]), row, state.cluster);
    return { key, row, side: sideOf(key), name: region ? region.name : key, country: region ? region.country : "", reason, ...shown };
  });
}

/* The order of a list: ranked figures first, the largest on top; then grade D, which has no rank; then no figure. */
function rankRows(rows) {
  const group = (row) => (Number.isNaN(row.value) ? 2 : row.grade === "D" ? 1 : 0);
  const ordered = d3.sort(rows, (a, b) => group(a) - group(b) || d3.descending(a.value, b.value) || d3.ascending(a.key, b.key));
  return ordered.map((row, i) => ({ ...row, rank: group(row) === 0 ? i + 1 : null }));
}

function bandOf(cells, measure, row, cluster) {
  const group = measure.group === "full" ? "full" : "native";
  if (cluster === "all") return "";
  return range(cells.number(group, "employment_band_low", row, cluster), cells.number(group, "employment_band_high", row, cluster));
}

function rankColumns(page, cells, state) {
  const measure = measureOf(state.measure);
  const columns = [
    { name: "Rank", number: true, sort: (row) => row.rank ?? NaN, rises: true, cell: (row) => (row.rank === null ? "–" : String(row.rank)) },
    { name: "Region", isHead: true, sort: (row) => row.name, cell: (row) => regionName(page, state, row.key) },
    {
      name: measure.short, number: true, sort: (row) => row.value,
      cell: (row) => numberButton(state, row.key, state.cluster, figure(row.value, measure.format, row.status)),
    },
  ];
  if (state.cluster !== "all") {
    columns.push({ name: "Employment, 80 % band", number: true, cell: (row) => bandOf(cells, measure, row.row, state.cluster) || "–" });
  }
  columns.push({ name: "Status", sort: (row) => (STATUS[row.status] || [""])[0], cell: (row) => badges(row.status, row.grade) });
  return columns;
}

/* A region's name as a link, with its code and country below. */
function regionName(page, state, key) {
  const region = page.regionOf.get(key);
  return h("span", {},
    h("a", { href: linkTo(state, { view: "region", id: key }) }, region ? region.name : key),
    h("span", { class: "under" }, `${key.split(":")[1]}${region ? `, ${region.country}` : ""}`));
}

/* How many figures there are on each side, and how many of them are ours. */
function tally(rows, level) {
  return ["us", "eu"].map((side) => {
    const own = rows.filter((row) => row.side === side);
    if (own.length === 0) return `${SIDE[side]}: no figures of this year.`;
    const found = own.filter((row) => !Number.isNaN(row.value));
    const ours = found.filter((row) => isModelled(row.status)).length;
    const unsure = found.filter((row) => row.grade === "D").length;
    return `${SIDE[side]}: ${found.length} of ${own.length} ${LEVEL[level][side]} have a figure`
      + `${found.length ? `, ${ours || "none"} of them modelled or estimated${unsure ? `, ${unsure} of grade D` : ""}` : ""}.`;
  });
}

function shownYears(cells) {
  const years = new Map();
  cells.keys.forEach((key, row) => {
    const side = sideOf(key);
    years.set(side, (years.get(side) || new Set()).add(cells.sourceYear(row)));
  });
  const other = [...years].filter(([, found]) => found.size > 1 || !found.has(cells.year));
  return other.map(([side, found]) => `${SIDE[side]}: figures of ${[...found].sort().join(" and ")}.`).join(" ");
}

/* Where a measure has no figure at all, the way to one that may. */
function otherMeasure(state, rows) {
  if (state.cluster === "all" || state.measure === "native_quotient" || rows.some((row) => !Number.isNaN(row.value))) return null;
  return h("p", { class: "tally" }, "No region has a figure of this measure: a figure's details say why. ",
    h("a", { href: linkTo(state, { measure: "native_quotient" }) }, "Show each side's own location quotient"), ".");
}

function clusterTitle(page, cluster) {
  return cluster === "all" ? "All traded clusters" : page.clusterOf.get(cluster).cluster_name;
}

function mapRegion(page, state, measure, scale, row) {
  const value = figure(row.value, measure.format, row.status);
  const status = (STATUS[row.status] || ["no status"])[0];
  const grade = row.grade ? `, grade ${row.grade}` : "";
  return {
    key: row.key,
    ...fillOf(measure, scale, row),
    hatch: Number.isNaN(row.value) ? "" : row.grade === "D" ? "unsure" : isModelled(row.status) ? "modelled" : "",
    label: `${row.name}, ${row.country}: ${value}, ${status}${grade}`,
    details: [
      `${row.name} (${row.key.split(":")[1]}, ${row.country})`, value, `${status}${grade}`,
      ...(Number.isNaN(row.value) && row.reason ? [row.reason] : []),
      ...(page.is_invented ? ["invented figure"] : []),
    ],
    href: linkTo(state, { cell: `${row.key}~${state.cluster}` }),
  };
}

async function viewMap(page, state) {
  const [cells, shapes] = await Promise.all([loadCells(state.year, state.level), Clusterbridge.load(`shapes-${state.level}`)]);
  const measure = measureOf(state.measure);
  const rows = rankRows(mapRows(page, cells, state));
  const scale = makeScale(measure, rows.map((row) => row.value).filter((value) => !Number.isNaN(value)));
  const title = `${clusterTitle(page, state.cluster)}: ${measure.name.charAt(0).toLowerCase()}${measure.name.slice(1)}, ${state.year}`;
  const counts = tally(rows, state.level);
  const draw = (side) => drawMap({
    side, shapes, title: `Map, ${SIDE[side]}. ${title}`, isInvented: page.is_invented,
    regions: rows.filter((row) => row.side === side).map((row) => mapRegion(page, state, measure, scale, row)),
  });
  announce(`${title}. ${counts.join(" ")}`);
  return {
    title,
    cells,
    content: [
      h("h1", { tabindex: "-1" }, title),
      h("p", { class: "lead" }, measure.text),
      h("p", { class: "tally" }, [...counts, shownYears(cells)].filter(Boolean).join(" ")),
      otherMeasure(state, rows),
      drawLegend(measure, scale),
      h("div", { class: "maps" }, draw("us"), draw("eu")),
      h("p", { class: "actions" },
        state.cluster === "all" ? null
          : h("a", { class: "action", href: linkTo(state, { view: "cluster", id: state.cluster }) }, "Profile of the cluster"),
        csvOfMap(page, cells, state)),
      makeTable({ caption: `${title}: regions of both sides, the highest first; grade D is shown without a rank`, columns: rankColumns(page, cells, state), rows }),
    ],
  };
}

function csvOfMap(page, cells, state) {
  const name = state.cluster === "all" ? "all-traded" : `cluster-${state.cluster}`;
  return downloadButton("Download these figures (CSV)", csvName(page, `${name}-${state.level}-${state.year}`), () => (
    cells.keys.map((key, row) => (state.cluster === "all" ? totalRecord(page, cells, row) : record(page, cells, row, state.cluster)))));
}

function csvName(page, name) {
  return `${page.is_invented ? "invented-" : ""}clusterbridge-${page.version ? `${page.version}-` : ""}${name}.csv`;
}
