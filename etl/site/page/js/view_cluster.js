"use strict";
/* A cluster's profile: the top regions of both sides, how it spreads, what it is made of. */

async function viewCluster(page, state) {
  const cluster = page.clusterOf.get(Number(state.id));
  if (!cluster) return notFound(page, state, `No cluster ${state.id}`);
  const [cells, organisations] = await Promise.all([loadCells(state.year, state.level), Clusterbridge.load("organisations")]);
  const measure = measureOf(state.measure);
  const rows = mapRows(page, cells, state);
  const title = `${cluster.cluster_name}, ${state.year}`;
  const list = (side) => rankedList(page, cells, state, rows.filter((row) => row.side === side), side);
  announce(title);
  return {
    title,
    cells,
    content: [
      h("h1", { tabindex: "-1" }, title),
      h("p", { class: "lead" }, cluster.kind === "traded"
        ? "A traded cluster: its industries gather in some regions and sell beyond them."
        : "A local cluster: its industries are found in every region and serve it."),
      clusterFacts(page, state, cells, rows),
      h("p", { class: "actions" },
        h("a", { class: "action", href: linkTo(state, { view: "map", cluster: cluster.cluster_code }) }, "Show on the map"),
        csvOfMap(page, cells, state)),
      h("h2", {}, "Top regions of both sides"),
      h("p", {}, `By: ${measure.name}. ${measure.text} Figures of grade D have no rank and are left out here.`),
      otherMeasure(state, rows),
      h("div", { class: "pair" }, list("us"), list("eu")),
      spreadChart(rows, measure, `Every region of both sides: ${measure.name}. Filled: printed figures; hollow: modelled or estimated`),
      h("h2", {}, "Made up of"),
      h("ul", { class: "columns" }, cluster.subclusters.map((name) => h("li", {}, name))),
      ...relatedPart(page, state),
      h("h2", {}, "Cluster organisations"),
      organisationsPart(page, state, cells, organisations, organisations.rows.filter((one) => one.cluster_code === cluster.cluster_code), "in this cluster"),
    ],
  };
}

function rankedList(page, cells, state, rows, side) {
  const ranked = rankRows(rows).filter((row) => row.rank !== null);
  const columns = rankColumns(page, cells, state);
  if (!ranked.length) return h("section", {}, h("h3", {}, SIDE[side]), h("p", {}, "No figure that can be ranked."));
  return h("section", {}, h("h3", {}, SIDE[side]),
    makeTable({ caption: `${SIDE[side]}, the highest first`, columns, rows: ranked, shown: 10 }));
}

function clusterFacts(page, state, cells, rows) {
  const cards = ["us", "eu"].flatMap((side) => {
    const own = rows.filter((row) => row.side === side);
    if (!own.length) return [card(SIDE[side], "no figures of this year")];
    const employment = own.map((row) => cells.number("native", "employment", row.row, state.cluster)).filter((value) => !Number.isNaN(value));
    const share = cells.coveredShare(own[0].row, state.cluster);
    return [
      card(`${SIDE[side]}, employment`, `${count(Math.round(d3.sum(employment)))} in ${employment.length} regions`),
      state.cluster < 100 ? card(`${SIDE[side]}, strong regions`, strongCount(own.map((row) => strongOf(cells, "full", row.row, state.cluster)))) : null,
      Number.isNaN(share) ? null : card(`${SIDE[side]}, covered industries`, write.percent(share)),
    ];
  });
  return h("dl", { class: "facts" }, cards);
}

function relatedPart(page, state) {
  const related = page.related[`${state.level}:${state.id}`];
  if (!related) return [];
  return [
    h("h2", {}, "Related clusters"),
    h("p", {}, "The clusters most often found specialised in the same regions, both sides together (1: always)."),
    h("ul", {}, related.map(([code, value]) => h("li", {}, clusterLink(page, state, code), ` ${value.toFixed(2)}`))),
  ];
}
