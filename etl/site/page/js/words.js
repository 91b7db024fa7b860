"use strict";
/* What statuses and grades are called, and how numbers are written. */

const STATUS = {
  r: ["reported", "as the publisher printed it"],
  n: ["noised", "printed by the publisher with a little noise added on purpose"],
  o: ["rounded", "printed by the publisher, rounded"],
  x: ["derived exactly", "follows exactly from printed figures"],
  b: ["bounded", "not printed; other figures leave it little room"],
  e: ["estimated", "not printed; completed within hard bounds"],
  m: ["modelled", "made from coarser figures by weights and a model"],
  w: ["withheld", "kept back by the publisher and not estimated; it is not zero"],
};

const GRADE = {
  A: "printed or exact, or put together from the region's own industries of the year",
  B: "certain within 10 %",
  C: "certain within 35 %, or at least half of it is the cluster's own",
  D: "less certain than that: shown, but neither flagged nor ranked",
};

const SIDE = { us: "United States", eu: "Europe" };

const LEVEL = {
  M: { name: "Economic areas and NUTS 2", us: "economic areas", eu: "NUTS 2 regions" },
  L: { name: "States and NUTS 1", us: "states", eu: "NUTS 1 regions" },
};

const SCHEME = {
  us_state: "US state",
  us_economic_area: "US economic area",
  nuts1: "NUTS 1 region",
  nuts2: "NUTS 2 region",
};

/* Statuses that are our figure rather than the publisher's. */
const isModelled = (status) => ["b", "e", "m"].includes(status);

const sideOf = (key) => (key.startsWith("us_") ? "us" : "eu");

const count = (value) =>
  value.toLocaleString("en-US", { maximumFractionDigits: Math.abs(value) < 10 && value % 1 !== 0 ? 1 : 0 });

const write = {
  persons: (value) => (value > 0 && value < 0.1 ? "below 0.1" : count(value)),
  quotient: (value) => (value > 0 && value < 0.01 ? "below 0.01" : value.toFixed(2)),
  percent: (value) => `${(value * 100).toLocaleString("en-US", { maximumFractionDigits: 1 })} %`,
  growth: (value) => `${value > 0 ? "+" : ""}${(value * 100).toFixed(1)} % a year`,
  bits: (value) => value.toFixed(2),
};

const NO_FIGURE = "no figure";

/* A figure as text, marked where it is modelled or estimated. */
function figure(value, format, status = null) {
  if (Number.isNaN(value)) return NO_FIGURE;
  return `${isModelled(status) ? "≈ " : ""}${write[format](value)}`;
}

function range(low, high, format = "persons") {
  if (Number.isNaN(low) && Number.isNaN(high)) return "";
  const end = Number.isNaN(high) ? "no upper bound" : write[format](high);
  return `${Number.isNaN(low) ? "no lower bound" : write[format](low)} to ${end}`;
}

/* How many are strong, of those that can be told; nothing known is not none. */
function strongCount(flags) {
  const told = flags.filter((flag) => flag !== null);
  if (!told.length) return "cannot be told";
  return `${told.filter(Boolean).length} of ${told.length}${told.length < flags.length ? " that can be told" : ""}`;
}
