"use strict";
/* Charts, each with a text that says what it shows; the tables beside them hold every figure. */

function framed(title, chart) {
  const svg = chart.matches("svg") ? chart : chart.querySelector(":scope > svg");
  // The chart is read out as one picture: labels of its parts would be heard twice.
  svg.querySelectorAll("[aria-label]").forEach((part) => part.removeAttribute("aria-label"));
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", title);
  return h("figure", { class: "chart" }, h("figcaption", {}, title), chart);
}

/* Charts are drawn as wide as the page is, within reason. */
const chartWidth = () => Math.max(330, Math.min(900, document.getElementById("main").clientWidth - 32));

/* Of names at places (x, y, text, best first), those that do not run into one already there: a letter is some 7 wide. */
function apart(names, width) {
  const kept = [];
  for (const one of names) {
    const half = one.text.length * 3.6;
    const box = { left: one.x - half, right: one.x + half, top: one.y - 20, bottom: one.y - 4 };
    const isFree = kept.every((other) => box.right < other.left || box.left > other.right || box.bottom < other.top || box.top > other.bottom);
    if (isFree && box.left > 40 && box.right < width) kept.push({ ...box, ...one });
  }
  return kept;
}

const known = (...values) => values.every((value) => !Number.isNaN(value));

/* A region's traded clusters: specialisation across, growth up (25 % a year at most) or else their share, employment as
   size; hollow where the figure is ours. `titleOf(what goes up)`. */
function portfolioChart(records, quotient, titleOf, shortName) {
  const hasGrowth = records.filter((one) => known(one[quotient], one.employment_growth_rate)).length >= 3;
  const y = hasGrowth ? "employment_growth_rate" : "region_share";
  const data = records.filter((one) => known(one[quotient], one[y], one.employment) && one[quotient] > 0.02 && one.employment > 0);
  if (data.length < 3) return null;
  const isOurs = (one) => ["bounded", "estimated", "modelled"].includes(one.employment_status);
  const isStrong = (one) => one.common_is_strong ?? one.is_strong;
  const colour = (one) => (isStrong(one) ? "var(--strong)" : "var(--accent)");
  const height = (one) => Math.max(-25, Math.min(25, one[y] * 100));
  const width = chartWidth();
  const order = d3.sort(data, (a, b) => d3.descending(isStrong(a) === true, isStrong(b) === true) || d3.descending(a.employment, b.employment));
  const draw = (named) => Plot.plot({
    width,
    height: width < 500 ? 360 : 440,
    inset: 20,
    marginBottom: 44,
    style: { background: "none", fontSize: "12px" },
    x: { type: "log", label: "Location quotient →", grid: true, tickFormat: "~g" },
    y: {
      label: hasGrowth ? "↑ Growth of employment, % a year" : "↑ Share of the region's employment, %",
      grid: true, nice: true, ...(hasGrowth ? {} : { type: "sqrt" }),
    },
    r: { range: [1, 26] },
    marks: [
      Plot.ruleX([1]),
      hasGrowth ? Plot.ruleY([0]) : null,
      Plot.dot(data, {
        x: quotient, y: height, r: "employment", stroke: colour, fill: colour,
        fillOpacity: (one) => (isOurs(one) ? 0.08 : 0.55), strokeDasharray: "3,2", tip: true,
        title: (one) => [
          one.cluster_name, `quotient ${write.quotient(one[quotient])}`, `${count(one.employment)} persons, ${one.employment_status}`,
          hasGrowth ? write.growth(one.employment_growth_rate) : "", one.grade ? `grade ${one.grade}` : "",
        ].filter(Boolean).join("\n"),
      }),
      Plot.text(named, { x: quotient, y: height, text: (one) => shortName(one.cluster_code), dy: -12, fill: "currentColor", stroke: "var(--paper)", strokeWidth: 3 }),
    ],
  });
  const bare = draw([]);
  const [across, up] = [bare.scale("x"), bare.scale("y")];
  const places = order.map((one) => ({ one, text: shortName(one.cluster_code), x: across.apply(one[quotient]), y: up.apply(height(one)) }));
  return framed(titleOf(hasGrowth ? "growth" : "share of the region's employment"), draw(apart(places, width).slice(0, 16).map((place) => place.one)));
}

/* Employment over the years; a curve breaks where the source changes. `lines`: name and points {year, value, source}. */
function seriesChart(lines, title) {
  const points = lines.flatMap(({ name, points: own }) => own.map((point) => ({ name, part: `${name} ${point.source}`, ...point })));
  if (new Set(points.map((point) => point.year)).size < 2) return null;
  const chart = Plot.plot({
    width: chartWidth(),
    height: 320,
    marginLeft: 60,
    style: { background: "none", fontSize: "12px" },
    x: { label: null, tickFormat: "d", interval: 1, ticks: Math.min(8, d3.extent(points, (p) => p.year).reduce((a, b) => b - a)) },
    y: { label: "↑ Employment", grid: true, zero: true },
    color: { scheme: "tableau10", legend: true },
    marks: [
      Plot.ruleY([0]),
      Plot.lineY(points, { x: "year", y: "value", z: "part", stroke: "name", strokeWidth: 2 }),
      Plot.dot(points, { x: "year", y: "value", fill: "name", r: 2.5, tip: true, title: (p) => `${p.name}\n${p.year}: ${count(p.value)}\n${p.source}` }),
    ],
  });
  return framed(title, chart);
}

/* All regions of both sides on one scale, each a dot; quotients below 0.02 stand at 0.02, those of 0 are counted. */
function spreadChart(data, measure, title) {
  const isQuotient = measure.scale === "quotient";
  const shown = data.filter((one) => known(one.value) && !(isQuotient && one.value === 0))
    .map((one) => ({ ...one, x: isQuotient ? Math.max(one.value, 0.02) : one.value }));
  const none = isQuotient ? data.filter((one) => one.value === 0).length : 0;
  if (shown.length < 3) return null;
  const chart = Plot.plot({
    width: chartWidth(),
    height: 260,
    marginLeft: 20,
    marginRight: 110,
    marginBottom: 44,
    style: { background: "none", fontSize: "12px" },
    x: {
      type: isQuotient ? "log" : measure.scale === "amount" ? "sqrt" : "linear",
      label: `${measure.name} →`, grid: true, percent: ["percent", "growth"].includes(measure.format), tickFormat: isQuotient ? "~g" : "~s",
    },
    fy: { label: null, axis: "right" },
    marks: [
      Plot.dot(shown, Plot.dodgeY("middle", {
        x: "x", fy: (one) => SIDE[one.side], r: 2.5, stroke: "var(--accent)",
        fill: (one) => (isModelled(one.status) ? "none" : "var(--accent)"), tip: true,
        title: (one) => `${one.name}\n${figure(one.value, measure.format, one.status)}${one.grade ? `\ngrade ${one.grade}` : ""}`,
      })),
    ],
  });
  return framed(`${title}${none ? `. Left out: ${none} regions that have none of it` : ""}`, chart);
}
