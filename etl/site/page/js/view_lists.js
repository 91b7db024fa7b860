"use strict";
/* Lists to start from: all clusters, all regions. */

async function viewClusters(page, state) {
  const cells = await loadCells(state.year, state.level);
  const title = `Clusters, ${state.year}`;
  const rows = [...page.clusterOf.values()].map((cluster) => {
    const row = { cluster };
    for (const side of ["us", "eu"]) {
      const own = d3.range(cells.keys.length).filter((i) => sideOf(cells.keys[i]) === side);
      row[side] = d3.sum(own, (i) => cells.number("native", "employment", i, cluster.cluster_code)) || NaN;
      row[`${side}Strong`] = own.filter((i) => strongOf(cells, "full", i, cluster.cluster_code)).length;
    }
    return row;
  });
  const compared = cells.has("full");
  const columns = [
    { name: "Cluster", sort: (row) => row.cluster.cluster_name, cell: (row) => h("a", { href: linkTo(state, { view: "cluster", id: row.cluster.cluster_code, cluster: row.cluster.cluster_code }) }, row.cluster.cluster_name) },
    { name: "Kind", sort: (row) => row.cluster.kind, cell: (row) => row.cluster.kind },
    ...["us", "eu"].flatMap((side) => [
      { name: `${SIDE[side]}, employment`, number: true, sort: (row) => row[side], cell: (row) => (Number.isNaN(row[side]) ? "–" : count(Math.round(row[side]))) },
      ...(compared ? [{ name: `${SIDE[side]}, strong regions`, number: true, sort: (row) => row[`${side}Strong`], cell: (row) => (row.cluster.kind === "traded" ? String(row[`${side}Strong`]) : "–") }] : []),
    ]),
  ];
  announce(title);
  return {
    title,
    cells,
    content: [
      h("h1", { tabindex: "-1" }, title),
      h("p", { class: "lead" }, `The 51 traded and 16 local Benchmark Cluster Definitions. Employment: sum over ${LEVEL[state.level].us} and ${LEVEL[state.level].eu} with a figure, printed or ours, in each side's own concept.`),
      makeTable({
        caption: "Clusters by code", columns, rows, shown: Infinity,
        file: {
          name: csvName(page, `clusters-${state.level}-${state.year}`),
          records: () => rows.map(({ cluster, us, eu, usStrong, euStrong }) => ({
            version: page.version, is_invented: page.is_invented, level: state.level, year: state.year,
            cluster_code: cluster.cluster_code, cluster_name: cluster.cluster_name, kind: cluster.kind,
            us_employment: us, eu_employment: eu, us_strong_regions: compared ? usStrong : null, eu_strong_regions: compared ? euStrong : null,
          })),
        },
      }),
    ],
  };
}

async function viewRegions(page, state) {
  const cells = await loadCells(state.year, state.level);
  const title = `Regions: ${LEVEL[state.level].name}, ${state.year}`;
  const rows = cells.keys.map((key, row) => ({ key, row, region: page.regionOf.get(key), ...totalRecord(page, cells, row) }));
  const status = (row) => cells.letter("totals", "employment_status", row.row);
  const opened = (row, column, format) => numberButton(state, row.key, "all", figure(row[column], format, status(row)));
  const columns = [
    { name: "Region", sort: (row) => row.region_name, cell: (row) => regionName(page, state, row.key) },
    { name: "Country", sort: (row) => row.country_code, cell: (row) => row.country_code },
    { name: "Traded employment", number: true, sort: (row) => row.employment_traded, cell: (row) => opened(row, "employment_traded", "persons") },
    { name: "Cluster strength", number: true, sort: (row) => row.cluster_strength, cell: (row) => opened(row, "cluster_strength", "percent") },
    { name: "Status", cell: (row) => badges(status(row), null) },
  ];
  announce(title);
  return {
    title,
    cells,
    content: [
      h("h1", { tabindex: "-1" }, title),
      h("p", { class: "actions" }, downloadButton("Download these regions (CSV)", csvName(page, `regions-${state.level}-${state.year}`),
        () => cells.keys.map((_, row) => totalRecord(page, cells, row)))),
      makeTable({ caption: "Regions of both sides by code", columns, rows, shown: 60 }),
    ],
  };
}

function notFound(page, state, text) {
  return { title: text, cells: null, content: [h("h1", { tabindex: "-1" }, text), h("p", {}, h("a", { href: linkTo(state, { view: "map" }) }, "Back to the map"))] };
}
