"use strict";
/* Starts the page, and shows what the address says. */

const SHOW = {
  map: viewMap, region: viewRegion, cluster: viewCluster, clusters: viewClusters, regions: viewRegions, organisations: viewOrganisations,
  notes: viewNotes,
};

let shown = null;
let turn = 0;

/* The table of contents, with look-ups. A version's name is in the address that the page is served from. */
function makePage(index) {
  const clusterOf = new Map(index.clusters.map((cluster) => [cluster.cluster_code, cluster]));
  const codes = (kind) => [...clusterOf.values()].filter((cluster) => cluster.kind === kind).map((cluster) => cluster.cluster_code);
  const version = /\/snapshots\/([^/]+)\//.exec(decodeURI(location.pathname));
  return {
    ...index,
    version: version ? version[1] : null,
    clusterOf,
    traded: codes("traded"),
    local: codes("local"),
    regionOf: new Map(index.regions.map(([key, name, country, level]) => [key, { name, country, level }])),
    sourceOf: new Map(index.sources.map((source) => [source.source, source])),
  };
}

function option(value, text, chosen) {
  return h("option", { value, selected: String(value) === String(chosen) }, text);
}

function fillControls(page, state) {
  const group = (label, codes) => h("optgroup", { label }, codes.map((code) => option(code, page.clusterOf.get(code).cluster_name, state.cluster)));
  document.getElementById("cluster").replaceChildren(
    ...(state.view === "cluster" ? [] : [option("all", "All traded clusters together", state.cluster)]),
    group("Traded clusters", page.traded), group("Local clusters", page.local));
  document.getElementById("measure").replaceChildren(...measuresOf(state.cluster, page).map((measure) => option(measure.id, measure.name, state.measure)));
  document.getElementById("level").replaceChildren(...["M", "L"].filter((level) => page.years[level].length).map((level) => option(level, LEVEL[level].name, state.level)));
  document.getElementById("year").replaceChildren(...page.years[state.level].toReversed().map((entry) => (
    option(entry.year, entry.sides.length > 1 ? String(entry.year) : `${entry.year} (${SIDE[entry.sides[0]]} alone)`, state.year))));
  const uses = { map: CHOICES, cluster: CHOICES, region: ["year"], clusters: ["level", "year"], regions: ["level", "year"], organisations: ["level", "year"], notes: [] }[state.view];
  for (const name of CHOICES) document.getElementById(name).parentElement.hidden = !uses.includes(name);
  document.getElementById("controls").hidden = uses.length === 0;
  for (const link of document.querySelectorAll("#views a")) {
    link.href = linkTo(state, { view: link.dataset.view });
    link.toggleAttribute("aria-current", link.dataset.view === state.view);
    if (link.dataset.view === state.view) link.setAttribute("aria-current", "page");
  }
}

function chosen(page) {
  const state = readState(location.hash, page);
  const value = (name) => document.getElementById(name).value;
  const cluster = value("cluster") === "all" ? "all" : Number(value("cluster"));
  const next = { cluster, measure: value("measure"), level: value("level"), year: Number(value("year")) };
  return linkTo(state, { ...next, id: state.view === "cluster" ? cluster : state.id });
}

async function show(page) {
  turn += 1;
  const own = turn;
  const state = readState(location.hash, page);
  const address = linkTo(state);
  const main = document.getElementById("main");
  const dialog = document.getElementById("detail");
  if (!state.cell && dialog.open) dialog.close();
  try {
    if (address !== shown?.address) {
      fillControls(page, state);
      main.setAttribute("aria-busy", "true");
      const view = await SHOW[state.view](page, state);
      if (own !== turn) return;
      main.replaceChildren(...view.content.filter((part) => part !== null));
      main.removeAttribute("aria-busy");
      document.title = `${page.is_invented ? "INVENTED FIGURES - " : ""}${view.title} - Clusterbridge`;
      const isOther = shown && (shown.view !== state.view || shown.id !== state.id);
      shown = { address, view: state.view, id: state.id, cells: view.cells };
      if (isOther) {
        window.scrollTo(0, 0);
        main.querySelector("h1").focus({ preventScroll: true });
      }
    }
    if (state.cell && shown.cells) showDetail(page, state, shown.cells);
  } catch (error) {
    main.replaceChildren(h("h1", { tabindex: "-1" }, "This view cannot be shown"), h("p", {}, String(error.message || error)));
    throw error;
  }
}

function footer(page, shapes) {
  const credits = [...new Set([
    ...page.sources.map((source) => source.attribution), ...Object.values(shapes).map((shape) => shape.attribution),
  ])].filter(Boolean).map((credit) => credit.replace(/\.$/, ""));
  document.getElementById("footer").replaceChildren(
    h("p", {}, `${page.version ? `Version ${page.version}. ` : ""}Content ${page.content_id}. Figures marked ≈ are ours, not the publishers'.`),
    h("p", {}, `${credits.join(". ")}. Drawn with D3 and Observable Plot.`));
}

async function start() {
  const page = makePage(await Clusterbridge.load("index"));
  document.getElementById("find-list").replaceChildren(...page.regions.map(([key, name, country]) => h("option", { value: `${name} (${key.split(":")[1]}, ${country})` })));
  document.getElementById("find").addEventListener("submit", (event) => {
    event.preventDefault();
    const input = document.getElementById("find-region");
    const key = findRegion(page, input.value);
    input.setCustomValidity(key ? "" : "No region has this name or code.");
    if (key) location.hash = linkTo(readState(location.hash, page), { view: "region", id: key });
    else input.reportValidity();
  });
  document.getElementById("find-region").addEventListener("input", (event) => event.target.setCustomValidity(""));
  document.getElementById("controls").addEventListener("change", () => { location.hash = chosen(page); });
  document.getElementById("controls").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("skip").addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById("main").focus();
  });
  document.getElementById("detail").addEventListener("close", () => {
    const state = readState(location.hash, page);
    if (state.cell) location.replace(linkTo(state));
  });
  window.addEventListener("hashchange", () => show(page));
  if (!page.start.year) {
    document.getElementById("main").replaceChildren(h("h1", {}, "No figures yet"), h("p", {}, "This version holds no region of a size that is compared."));
    return;
  }
  await show(page);
  footer(page, await Clusterbridge.load(`shapes-${page.start.level}`));
}

/* A region by its code, by what the list offers, or by the one name that begins so. */
function findRegion(page, text) {
  const wanted = text.trim().toLowerCase();
  const code = /\(([^,()]+), [A-Z]{2}\)$/.exec(text.trim());
  const byCode = page.regions.filter(([key]) => key.split(":")[1].toLowerCase() === (code ? code[1].toLowerCase() : wanted));
  if (byCode.length) return byCode[0][0];
  const byName = page.regions.filter(([, name]) => name.toLowerCase().startsWith(wanted));
  return wanted && byName.length ? byName[0][0] : null;
}

start();
