"use strict";
/* Elements, tables that can be sorted, and files of comma-separated values. Text only ever becomes text. */

function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

let tables = 0;

/* A table with a caption. A column: `name`, `cell(row)` gives text or an element, `sort(row)` a number or text, `number`
   for figures (sorted from the largest, unless it `rises`), `brief` for texts that stay on one line, `isHead` for the one
   that names the row (else the first). Rows beyond `shown` wait behind a button. `file`: name and records of what can be
   downloaded of it. */
function makeTable({ caption, columns, rows, shown = 25, file = null }) {
  let ordered = rows;
  let by = null;
  let limit = shown;
  const head = Math.max(0, columns.findIndex((column) => column.isHead));
  tables += 1;
  const body = h("tbody");
  const more = h("button", { type: "button", class: "more", onclick: () => { limit = Infinity; fill(); } });
  const headings = columns.map((column) => {
    const heading = h("th", { scope: "col", class: column.number ? "number" : null });
    if (column.sort) heading.append(h("button", { type: "button", onclick: () => sortBy(column, heading) }, column.name));
    else heading.append(column.name);
    return heading;
  });

  function fill() {
    body.replaceChildren(...ordered.slice(0, limit).map((row) => h("tr", {}, columns.map((column, i) => (
      h(i === head ? "th" : "td", { scope: i === head ? "row" : null, class: column.number ? "number" : column.brief ? "brief" : null }, column.cell(row))
    )))));
    more.hidden = ordered.length <= limit;
    more.textContent = `Show all ${count(ordered.length)} rows`;
  }

  function sortBy(column, heading) {
    const falls = by === column ? heading.getAttribute("aria-sort") === "ascending" : Boolean(column.number && !column.rises);
    by = column;
    headings.forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", falls ? "descending" : "ascending");
    const isMissing = (value) => value === null || value === "" || Number.isNaN(value);
    ordered = [...rows].sort((a, b) => {
      const [one, other] = [column.sort(a), column.sort(b)];
      if (isMissing(one) || isMissing(other)) return isMissing(one) - isMissing(other);
      return (falls ? -1 : 1) * d3.ascending(one, other);
    });
    fill();
  }

  fill();
  const id = `table-${tables}`;
  const table = h("table", {}, h("caption", { id }, caption), h("thead", {}, h("tr", {}, headings)), body);
  return h("div", { class: "table" },
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": id }, table),
    h("div", { class: "below" }, more, file ? downloadButton("Download this table (CSV)", file.name, file.records) : null));
}

/* A field of a file of comma-separated values. A text that a spreadsheet would run as a formula is set apart. */
function csvField(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "";
  if (typeof value !== "string") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/* `records`: objects with the same keys, which become the heading. */
function csvText(records) {
  const names = Object.keys(records[0] || {});
  const lines = [names, ...records.map((record) => names.map((name) => record[name]))];
  return lines.map((line) => line.map(csvField).join(",")).join("\r\n") + "\r\n";
}

function downloadButton(text, fileName, makeRecords) {
  return h("button", {
    type: "button",
    class: "download",
    onclick: () => {
      const address = URL.createObjectURL(new Blob(["\ufeff", csvText(makeRecords())], { type: "text/csv;charset=utf-8" }));
      h("a", { href: address, download: fileName }).click();
      setTimeout(() => URL.revokeObjectURL(address), 1000);
    },
  }, text);
}

/* Status and grade beside a number, in words; a modelled one can be told from a printed one without colour. */
function badges(status, grade) {
  const [name, meaning] = STATUS[status] || [null, null];
  return h("span", { class: "badges" },
    name && h("span", { class: `badge ${isModelled(status) ? "modelled" : "printed"}`, title: meaning }, name),
    grade && h("span", { class: `badge grade grade-${grade}`, title: GRADE[grade] }, `grade ${grade}`));
}

function announce(text) {
  document.getElementById("announce").textContent = text;
}
