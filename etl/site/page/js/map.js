"use strict";
/* A map of one side, coloured by a measure. The regions are one stop of the tab key; arrows go from one to the next. */

const WIDTH = 640;
const HEIGHT = { us: 420, eu: 640 };
const TILE = 26;
const TILES_IN_ROW = 18;
/* What lies within these degrees is drawn in place; regions overseas and Atlantic islands are tiles above the map. */
const FRAME = { west: -25, east: 45, south: 34, north: 72, islandsWest: -12, islandsSouth: 43 };

/* Outlines come as differences in hundredths of a degree. */
function feature(key, polygons) {
  const ring = (steps) => {
    const points = [];
    let [x, y] = [0, 0];
    for (let i = 0; i < steps.length; i += 2) {
      x += steps[i];
      y += steps[i + 1];
      points.push([x / 100, y / 100]);
    }
    return points;
  };
  return { type: "Feature", id: key, geometry: { type: "MultiPolygon", coordinates: polygons.map((rings) => rings.map(ring)) } };
}

function featuresOf(shapes, side) {
  return Object.entries(shapes)
    .filter(([scheme]) => sideOf(`${scheme}:`) === side)
    .flatMap(([scheme, shape]) => Object.entries(shape.outlines).map(([code, polygons]) => feature(`${scheme}:${code}`, polygons)));
}

/* The part of a region that is drawn in place; null for one that lies wholly elsewhere. */
function partInPlace(side, one) {
  if (side === "us") return one;
  const coordinates = one.geometry.coordinates.filter((polygon) => {
    const [x, y] = d3.geoCentroid({ type: "Polygon", coordinates: polygon });
    const isIsland = x < FRAME.islandsWest && y < FRAME.islandsSouth;
    return x > FRAME.west && x < FRAME.east && y > FRAME.south && y < FRAME.north && !isIsland;
  });
  return coordinates.length ? { ...one, geometry: { type: "MultiPolygon", coordinates } } : null;
}

function projectionOf(side, features, top) {
  const projection = side === "us" ? d3.geoAlbersUsa() : d3.geoAzimuthalEqualArea().rotate([-10, -52]);
  const margin = 4;
  return projection.fitExtent([[margin, margin + top], [WIDTH - margin, HEIGHT[side] - margin]],
    { type: "FeatureCollection", features });
}

/* `regions`: for each shown region key, label (what is read out), fill and colour, hatch ("", "modelled" or "unsure"),
   details (lines of the tip), href. Returns the figure. */
function drawMap({ side, shapes, regions, title, isInvented }) {
  const byKey = new Map(regions.map((region) => [region.key, region]));
  const features = featuresOf(shapes, side);
  const placed = features.map((one) => partInPlace(side, one)).filter((one) => one !== null);
  const framing = placed.filter((one) => byKey.has(one.id));
  const inPlace = new Set(framing.map((one) => one.id));
  const outside = regions.filter((region) => !inPlace.has(region.key));
  const strip = Math.ceil(outside.length / TILES_IN_ROW) * (TILE + 4);
  const path = d3.geoPath(projectionOf(side, framing.length ? framing : placed, strip));
  const size = [WIDTH, HEIGHT[side]];
  const svg = d3.create("svg").attr("viewBox", `0 0 ${size[0]} ${size[1]}`).attr("class", "map").attr("role", "group")
    .attr("aria-label", `${title}. Arrow keys go from region to region, Enter opens one. The table below says the same.`);
  addHatches(svg, side);
  const ground = svg.append("g");
  ground.append("g").attr("class", "ground").attr("aria-hidden", "true").selectAll("path")
    .data(placed.filter((one) => !byKey.has(one.id))).join("path").attr("d", path);

  const marks = [
    ...framing.map((one) => ({ region: byKey.get(one.id), d: path(one), centre: path.centroid(one) })),
    ...outside.map(tileMark),
  ];

  const layer = ground.append("g");
  const nodes = layer.selectAll("a").data(marks).join("a")
    .attr("href", (mark) => mark.region.href).attr("tabindex", "-1")
    .attr("aria-label", (mark) => mark.region.label).attr("data-key", (mark) => mark.region.key);
  nodes.append("path").attr("d", (mark) => mark.d).attr("fill", (mark) => mark.region.colour || null)
    .attr("class", (mark) => `region ${mark.region.fill}`.trim())
    .style("fill", (mark) => (mark.region.fill === "withheld" ? `url(#withheld-${side})` : null));
  nodes.filter((mark) => mark.region.hatch).append("path").attr("d", (mark) => mark.d)
    .attr("class", "hatch").attr("fill", (mark) => `url(#${mark.region.hatch}-${side})`);
  nodes.filter((mark) => mark.isTile).append("text").attr("class", "tile").attr("x", (mark) => mark.centre[0])
    .attr("y", (mark) => mark.centre[1] + 3).text((mark) => mark.region.key.split(":")[1]);
  if (isInvented) {
    svg.append("text").attr("class", "watermark").attr("aria-hidden", "true")
      .attr("x", size[0] / 2).attr("y", size[1] / 2).text("INVENTED");
  }

  const tip = h("div", { class: "tip", "aria-hidden": "true", hidden: true });
  const figure = h("figure", { class: `map-${side}` }, h("figcaption", {}, SIDE[side]));
  figure.append(svg.node(), tip);
  addTip(nodes, tip, figure);
  addKeys(nodes, marks);
  addZoom(svg, ground, size, figure);
  if (Object.entries(shapes).some(([scheme, shape]) => sideOf(`${scheme}:`) === side && shape.is_sketch)) {
    figure.append(h("p", { class: "note" }, "A sketch: no boundaries are at hand, each region is a cell about its middle."));
  }
  return figure;
}

/* A region without a place on the map: a square with its code, in rows above the map. */
function tileMark(region, i) {
  const [x, y] = [6 + (i % TILES_IN_ROW) * (TILE + 4), 6 + Math.floor(i / TILES_IN_ROW) * (TILE + 4)];
  return { region, isTile: true, d: `M${x},${y}h${TILE}v${TILE}h${-TILE}Z`, centre: [x + TILE / 2, y + TILE / 2] };
}

/* Light lines beside dark ones, so that hatching shows on every colour. */
function addHatches(svg, side) {
  const defs = svg.append("defs");
  const dots = defs.append("pattern").attr("id", `withheld-${side}`).attr("patternUnits", "userSpaceOnUse").attr("width", 6).attr("height", 6);
  dots.append("rect").attr("class", "ground-of-dots").attr("width", 6).attr("height", 6);
  dots.append("circle").attr("class", "dot").attr("cx", 3).attr("cy", 3).attr("r", 1.3);
  // The European map is drawn smaller than the American one; its lines are as wide on the screen.
  const size = side === "us" ? 1 : 1.5;
  for (const [name, step] of [["modelled", 9 * size], ["unsure", 5 * size]]) {
    const pattern = defs.append("pattern").attr("id", `${name}-${side}`).attr("patternUnits", "userSpaceOnUse")
      .attr("width", step).attr("height", step).attr("patternTransform", "rotate(45)");
    const lines = name === "unsure" ? [[0, 1], [1, 0]] : [[0, 1]];
    for (const [dx, dy] of lines) {
      const line = (offset, style) => pattern.append("line").attr("class", style)
        .attr("x1", dx * offset).attr("y1", dy * offset).attr("x2", dx * offset + dy * step).attr("y2", dy * offset + dx * step);
      line(0.6 * size, "dark").attr("stroke-width", 1.1 * size);
      line(1.7 * size, "light").attr("stroke-width", 0.9 * size);
    }
  }
}

function addTip(nodes, tip, figure) {
  const show = (event, mark) => {
    tip.replaceChildren(...mark.region.details.map((line, i) => h(i ? "span" : "strong", {}, line)));
    tip.hidden = false;
    const frame = figure.getBoundingClientRect();
    const box = event.currentTarget.getBoundingClientRect();
    const [x, y] = event.type.startsWith("pointer")
      ? [event.clientX, event.clientY] : [box.left + box.width / 2, box.top + box.height / 2];
    const left = Math.min(x - frame.left + 12, frame.width - tip.offsetWidth - 4);
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${y - frame.top + 14}px`;
  };
  const hide = () => { tip.hidden = true; };
  nodes.on("pointermove", show).on("focus", show).on("pointerleave", hide).on("blur", hide);
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function addKeys(nodes, marks) {
  const elements = nodes.nodes();
  if (!elements.length) return;
  let current = 0;
  elements[0].setAttribute("tabindex", "0");
  const goTo = (next) => {
    elements[current].setAttribute("tabindex", "-1");
    current = next;
    elements[current].setAttribute("tabindex", "0");
    elements[current].focus();
  };
  nodes.on("keydown", (event) => {
    const arrow = ARROWS[event.key];
    if (!arrow) return;
    event.preventDefault();
    const next = nearest(marks, current, arrow);
    if (next >= 0) goTo(next);
  });
}

/* The nearest region in a direction: what lies off the line counts as further. */
function nearest(marks, from, [dx, dy]) {
  let [best, least] = [-1, Infinity];
  marks.forEach((mark, i) => {
    const [x, y] = [mark.centre[0] - marks[from].centre[0], mark.centre[1] - marks[from].centre[1]];
    const along = x * dx + y * dy;
    const beside = Math.abs(x * dy) + Math.abs(y * dx);
    if (i !== from && along > 0.5 && along + 2.5 * beside < least) [best, least] = [i, along + 2.5 * beside];
  });
  return best;
}

/* Buttons, two fingers, or the wheel with Ctrl: one finger and the bare wheel still scroll the page. */
function addZoom(svg, ground, size, figure) {
  let scale = 1;
  const zoom = d3.zoom().scaleExtent([1, 12]).translateExtent([[0, 0], size]).extent([[0, 0], size])
    .filter((event) => (event.type === "wheel" ? event.ctrlKey || event.metaKey
      : event.type === "touchstart" ? event.touches.length > 1 || scale > 1 : scale > 1 && !event.button))
    .on("zoom", ({ transform }) => {
      scale = transform.k;
      ground.attr("transform", transform);
      svg.classed("zoomed", scale > 1);
    });
  svg.call(zoom).on("dblclick.zoom", null);
  const button = (text, label, act) => h("button", { type: "button", "aria-label": label, onclick: act }, text);
  figure.append(h("div", { class: "zoom", role: "group", "aria-label": `Zoom, ${figure.firstChild.textContent}` },
    button("+", "Zoom in", () => svg.call(zoom.scaleBy, 1.6)),
    button("−", "Zoom out", () => svg.call(zoom.scaleBy, 1 / 1.6)),
    button("⤢", "Whole map", () => svg.call(zoom.transform, d3.zoomIdentity))));
}

/* What the colours and hatches mean, in words. */
function drawLegend(measure, scale) {
  const swatch = (style, text, colour) => h("li", {},
    h("span", { class: `swatch ${style}`, style: colour ? `background-color:${colour}` : null, "aria-hidden": "true" }), text);
  return h("ul", { class: "legend", "aria-label": "Colours, the same on both sides" },
    hasNone(measure) ? swatch("zero", "0: none there") : null,
    classTexts(measure, scale.breaks).map((text, i) => swatch("", text, scale.colours[i])),
    swatch("empty", NO_FIGURE),
    swatch("withheld", "withheld by the publisher"),
    swatch("modelled", "hatched: our estimate or model, not printed by the publisher"),
    swatch("unsure", "cross-hatched: grade D, not ranked"));
}
