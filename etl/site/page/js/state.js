"use strict";
/* What is shown is in the address, after the #: #/map?cluster=4&measure=quotient&level=M&year=2019. Every view, and
   every number that is opened, has a link of its own. */

const VIEWS = ["map", "region", "cluster", "clusters", "regions", "organisations", "notes"];
const CHOICES = ["cluster", "measure", "level", "year"];

/* Read the address; what it does not say, or says wrongly, is as the page starts. `index`: the page's table of contents. */
function readState(hash, index) {
  const [path, query] = hash.replace(/^#\/?/, "").split("?");
  const [view, ...rest] = path.split("/");
  const given = new URLSearchParams(query || "");
  const start = index.start;
  const state = {
    view: VIEWS.includes(view) ? view : "map",
    id: decodeURIComponent(rest.join("/")),
    level: given.get("level") in LEVEL ? given.get("level") : start.level,
    year: Number(given.get("year") || start.year),
    cluster: given.get("cluster") === "all" ? "all" : Number(given.get("cluster") || start.cluster),
    measure: given.get("measure") || start.measure,
    cell: given.get("cell"),
  };
  if (state.view === "region" && index.regionOf.has(state.id)) state.level = index.regionOf.get(state.id).level;
  if (state.view === "cluster" && index.clusterOf.has(Number(state.id))) state.cluster = Number(state.id);
  const years = index.years[state.level].map((entry) => entry.year);
  if (!years.includes(state.year)) state.year = years.includes(start.year) ? start.year : years.at(-1);
  if (state.cluster !== "all" && !index.clusterOf.has(state.cluster)) state.cluster = start.cluster;
  const measures = measuresOf(state.cluster, index);
  if (!measures.some((measure) => measure.id === state.measure)) state.measure = measures[0].id;
  return state;
}

/* The address of a state, with some of it changed. */
function linkTo(state, change = {}) {
  const next = { ...state, cell: null, ...change };
  const query = new URLSearchParams();
  for (const name of CHOICES) query.set(name, next[name]);
  if (next.cell) query.set("cell", next.cell);
  const id = ["region", "cluster"].includes(next.view) ? `/${next.id}` : "";
  return `#/${next.view}${id}?${query}`;
}
