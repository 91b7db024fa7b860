"use strict";
/* What a map can be coloured by, and the one scale for both sides of the Atlantic. */

const CLUSTER_MEASURES = [
  {
    id: "quotient", short: "Quotient", group: "full", column: "location_quotient", format: "quotient", scale: "quotient",
    name: "Location quotient, one rule for both sides",
    text: "How many times the cluster's share in the region is its share in the USA and Europe together, among the traded employment that both sides cover.",
  },
  {
    id: "probability", short: "Chance of strong", group: "full", column: "strong_probability", format: "percent", scale: "probability",
    name: "Chance of being a strong cluster, one rule",
    text: "In how many of 200 draws from the bands of employment the cluster is strong: among the most specialised fifth of all regions, and large enough.",
  },
  {
    id: "employment", short: "Employment, covered", group: "full", column: "employment", format: "persons", scale: "amount",
    name: "Employment in what both sides cover",
    text: "Employment in those industries of the cluster that the sources of both sides cover.",
  },
  {
    id: "coarse", short: "Quotient, coarse", group: "coarse", column: "location_quotient", format: "quotient", scale: "quotient",
    name: "Location quotient, both sides at the same coarse detail",
    text: "As the first measure, but American figures are degraded to the detail that European ones have, so that both sides share the same kind of error.",
  },
  {
    id: "native_quotient", short: "Own quotient", group: "native", column: "location_quotient", format: "quotient", scale: "quotient",
    name: "Location quotient, each side's own",
    text: "Compared with the own side only: the USA, or the European reference area. The two sides do not compare with each other.",
  },
  {
    id: "native_employment", short: "Employment", group: "native", column: "employment", format: "persons", scale: "amount",
    name: "Employment, as each side counts it",
    text: "All employment of the cluster in each side's own concept: see the source of a figure.",
  },
  {
    id: "region_share", short: "Share of region", group: "native", column: "region_share", format: "percent", scale: "amount",
    name: "Share of the region's employment",
    text: "Share of the region's employment of the same class, traded or local; in Europe of what is covered.",
  },
  {
    id: "cluster_share", short: "Share of cluster", group: "native", column: "cluster_share", format: "percent", scale: "amount",
    name: "Share of the cluster's employment on its side",
    text: "Share of the cluster's employment in the USA, or in the European reference area.",
  },
  {
    id: "growth", short: "Growth a year", group: "native", column: "employment_growth_rate", format: "growth", scale: "growth",
    name: "Growth of employment",
    text: "Compound growth a year since the year before at hand, which a figure's details name.",
  },
];

const TOTAL_MEASURES = [
  {
    id: "strength", short: "Cluster strength", group: "totals", column: "cluster_strength", format: "percent", scale: "amount",
    name: "Cluster strength",
    text: "Employment of strong traded clusters over employment of all traded clusters, by each side's own rule.",
  },
  {
    id: "traded", short: "Traded employment", group: "totals", column: "employment_traded", format: "persons", scale: "amount",
    name: "Employment of all traded clusters", text: "As each side counts it.",
  },
  {
    id: "total", short: "Employment", group: "totals", column: "employment", format: "persons", scale: "amount",
    name: "Employment", text: "All employment of the region, as each side counts it.",
  },
  {
    id: "entropy", short: "Variety, bits", group: "totals", column: "portfolio_entropy", format: "bits", scale: "amount",
    name: "Variety of traded clusters, in bits",
    text: "Entropy of the shares of the traded clusters: 0 for a single cluster, 5.7 for 51 of one size.",
  },
];

function measuresOf(cluster, index) {
  if (cluster === "all") return TOTAL_MEASURES;
  const isTraded = index.clusterOf.get(cluster).kind === "traded";
  return CLUSTER_MEASURES.filter((measure) => isTraded || measure.group === "native");
}

const measureOf = (id) => [...CLUSTER_MEASURES, ...TOTAL_MEASURES].find((measure) => measure.id === id);

/* The figure that a map shows of a region, with its status and grade. */
function shownFigure(cells, measure, row, cluster) {
  const value = cells.number(measure.group, measure.column, row, cluster);
  if (measure.group === "totals") {
    return { value, status: cells.letter("totals", "employment_status", row), grade: null };
  }
  const status = cells.letter("native", "employment_status", row, cluster);
  return { value, status, grade: cells.letter(measure.group, "grade", row, cluster) };
}

const FIXED_BREAKS = {
  quotient: [0.5, 0.8, 1.25, 2, 4],
  probability: [0.1, 0.25, 0.5, 0.75, 0.9],
  growth: [-0.05, -0.02, 0, 0.02, 0.05],
};
const CLASSES = 6;
/* Colours are names of the style sheet, so that they follow the theme: about the average they recede, on either side
   they part in blue and orange, which colour-blind readers tell apart too. */
const PALETTE = { quotient: "quotient", growth: "growth", probability: "amount", amount: "amount" };
/* Measures of which 0 means that there is none. */
const hasNone = (measure) => measure.scale !== "growth" && measure.scale !== "probability";

/* One scale for the figures of both sides: steps, and a colour for each class between them. */
function makeScale(measure, values) {
  const breaks = FIXED_BREAKS[measure.scale] || quantileBreaks(values);
  const colours = d3.range(breaks.length + 1).map((i) => `var(--${PALETTE[measure.scale]}-${i + 1 + CLASSES - 1 - breaks.length})`);
  return { breaks, colours, colour: d3.scaleThreshold(breaks, colours) };
}

/* How a region is filled: by its class, or as one without a figure, withheld, or with none of the cluster. */
function fillOf(measure, scale, { value, status }) {
  if (Number.isNaN(value)) return { fill: status === "w" ? "withheld" : "empty", colour: null };
  if (value === 0 && hasNone(measure)) return { fill: "zero", colour: null };
  return { fill: "", colour: scale.colour(value) };
}

/* Steps that part the positive figures into classes of one size, rounded to two digits. */
function quantileBreaks(values) {
  const known = values.filter((value) => value > 0).sort(d3.ascending);
  const steps = d3.range(1, CLASSES).map((i) => Number(d3.quantileSorted(known, i / CLASSES)?.toPrecision(2)));
  return [...new Set(steps.filter((step) => step > 0))];
}

function classTexts(measure, breaks) {
  const text = (value) => write[measure.format](value).replace(" a year", "");
  if (breaks.length === 0) return ["any"];
  return [
    `${hasNone(measure) ? "more than 0, " : ""}below ${text(breaks[0])}`,
    ...breaks.slice(1).map((step, i) => `${text(breaks[i])} to ${text(step)}`),
    `${text(breaks.at(-1))} and more`,
  ];
}
