"use strict";
/* Reads the data files. Each is a script that hands over its content packed, so that a page opened from a disk can
   read it too: browsers let such a page run a script, but not fetch a file. Nothing else is ever loaded. */

const Clusterbridge = (() => {
  const waiting = new Map();
  const loaded = new Map();

  async function unpack(base64) {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(plain).json();
  }

  function receive(name, packed) {
    waiting.get(name)(unpack(packed));
  }

  function load(name) {
    if (!loaded.has(name)) {
      loaded.set(name, new Promise((resolve, reject) => {
        waiting.set(name, resolve);
        const script = document.createElement("script");
        script.src = `data/${name}.js`;
        script.onerror = () => {
          loaded.delete(name);
          reject(new Error(`The file data/${name}.js cannot be read.`));
        };
        document.head.append(script);
      }));
    }
    return loaded.get(name);
  }

  return { receive, load };
})();

/* Numbers joined by commas; nothing between two commas is an unknown one. */
function readNumbers(text) {
  return Float64Array.from(text === "" ? [] : text.split(","), (part) => (part === "" ? NaN : Number(part)));
}

/* The figures of one year and level. A column is unpacked when it is first asked for. Groups: native (each side's own
   figures; traded and local clusters), full and coarse (the common rule; traded clusters), totals (by region). */
class Cells {
  constructor(content) {
    this.content = content;
    this.year = content.year;
    this.level = content.level;
    this.keys = content.regions;
    this.rows = new Map(content.regions.map((key, row) => [key, row]));
    this.columns = new Map();
    this.clusterPlaces = {
      native: new Map(content.clusters.map((code, place) => [code, place])),
      full: new Map(content.traded.map((code, place) => [code, place])),
    };
    this.clusterPlaces.coarse = this.clusterPlaces.full;
  }

  has(group) {
    return this.content[group] !== null;
  }

  /* Where a region's cluster stands in the columns of a group; -1 where the group does not have it. */
  place(group, row, cluster) {
    if (group === "totals") return row;
    const places = this.clusterPlaces[group];
    const place = places.get(cluster);
    return place === undefined || !this.has(group) ? -1 : row * places.size + place;
  }

  number(group, column, row, cluster) {
    const place = this.place(group, row, cluster);
    return place < 0 ? NaN : this.column(group, column)[place];
  }

  letter(group, column, row, cluster) {
    const place = this.place(group, row, cluster);
    const found = place < 0 ? "." : this.content[group][column][place];
    return found === "." ? null : found;
  }

  word(group, column, row, cluster) {
    const place = this.place(group, row, cluster);
    return place < 0 ? null : this.wordAt(`${group}.${column}`, this.content[group][column], place);
  }

  /* What is one for a whole region: source, currency, the year that growth is measured from. */
  source(row) {
    return this.wordAt("sources", this.content.sources, row);
  }

  sourceYear(row) {
    return this.content.source_years[row];
  }

  currency(row) {
    return this.wordAt("currency", this.content.native.currency_code, row);
  }

  previousYear(row) {
    return this.column("native", "previous_year")[row];
  }

  coveredShare(row, cluster) {
    const shares = this.has("full") ? this.content.full.covered_share[this.source(row)] : undefined;
    const place = this.clusterPlaces.full.get(cluster);
    return shares === undefined || place === undefined ? NaN : readNumbers(shares)[place];
  }

  column(group, name) {
    const key = `${group}.${name}`;
    if (!this.columns.has(key)) this.columns.set(key, readNumbers(this.content[group][name]));
    return this.columns.get(key);
  }

  wordAt(key, content, place) {
    if (!this.columns.has(key)) this.columns.set(key, readNumbers(content.codes));
    const code = this.columns.get(key)[place];
    return code >= 0 ? content.words[code] : null;
  }

  /* Partners of a region, best first: kind, rank, partner's key, score with band, clusters that explain the pair. */
  partners(row) {
    const content = this.content.partners;
    if (content === null) return [];
    const region = this.column("partners", "region");
    const explaining = content.explaining_clusters.split("|");
    const found = [];
    for (let i = 0; i < region.length; i += 1) {
      if (region[i] !== row) continue;
      found.push({
        kind: this.wordAt("partners.kind", content.kind, i),
        rank: this.column("partners", "partner_rank")[i],
        partner: this.keys[this.column("partners", "partner")[i]],
        score: this.column("partners", "score")[i],
        low: this.column("partners", "score_low")[i],
        high: this.column("partners", "score_high")[i],
        ratio: this.column("partners", "size_ratio")[i],
        explaining: explaining[i],
      });
    }
    return found;
  }
}

const cellsKept = new Map();

async function loadCells(year, level) {
  const name = `cells-${year}-${level}`;
  if (!cellsKept.has(name)) cellsKept.set(name, new Cells(await Clusterbridge.load(name)));
  return cellsKept.get(name);
}
