"use strict";
/* How to read the figures: measures, statuses, grades, sources. */

async function viewNotes(page, state) {
  const title = "How to read these figures";
  const terms = (pairs) => h("dl", {}, pairs.flatMap(([name, text]) => fact(name, text)));
  return {
    title,
    cells: null,
    content: [
      h("h1", { tabindex: "-1" }, title),
      page.is_invented ? h("p", { class: "warning" }, h("strong", {}, "Every figure here is invented"), " to show how the software works. None describes a real region.") : null,
      h("h2", {}, "Measures"),
      terms([...CLUSTER_MEASURES, ...TOTAL_MEASURES].map((measure) => [measure.name, measure.text])),
      h("h2", {}, "Status of a figure"),
      h("p", {}, "Our own figures are marked ≈ in tables and hatched on maps. A withheld figure is never a zero."),
      terms(Object.values(STATUS)),
      h("h2", {}, "Grade of a figure"),
      terms(Object.entries(GRADE)),
      h("h2", {}, "Band and bounds"),
      h("p", {}, "Bounds are certain: the true figure lies within. The 80 % band is where it lies in four of five cases, as far as hidden figures that were estimated for a test have shown."),
      h("h2", {}, "Sources"),
      page.sources.map((source) => h("section", {}, h("h3", {}, source.title), h("dl", {},
        fact("Publisher", source.publisher || ""), fact("What is counted", source.concept || ""), fact("Covered", source.coverage || ""),
        fact("Reuse", [source.licence, source.attribution].filter(Boolean).join(". "))))),
      h("h2", {}, "This version"),
      h("p", {}, `${page.version ? `Version ${page.version}, content` : "Content"} ${page.content_id}. All figures, unrounded, are in the Parquet files beside this page.`),
    ].filter((part) => part !== null).flat(),
  };
}
