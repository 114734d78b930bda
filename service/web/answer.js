// What the list and the plan of a brief have in common: their top, and the ways to take them away.

import { address } from "./brief.js";
import { announce, h } from "./dom.js";

/** The top of a brief's pages: what was asked, and the way between them. */
export function head(brief, here, answer) {
  const tab = (page, text) =>
    h("a", { href: address(page, brief), "aria-current": page === here ? "page" : null }, text);
  const name = here === "plan" ? "Plan" : "Creators";
  return h(
    "header.asked",
    null,
    h("h1", null, name, h("span.for", null, ` for ${brief.brand?.name ?? "a brand"}`)),
    h("p.query", null, brief.query, " ", h("a", { href: address("", brief) }, "Change the brief")),
    h("nav.tabs", { "aria-label": "Answer" }, tab("results", "Creators"), tab("plan", "Plan")),
    answer?.model?.kind === "heuristic" &&
      h("p.note", null, "Too few outcomes are known to estimate rates: this order is by rules."),
  );
}

/** Buttons to take a list or plan away: `file(kind)` saves it, `unfold()` readies it for print. */
export function exports(file, unfold = () => {}) {
  const said = h("span.wrong", { role: "alert" });
  const save = (kind) => async (event) => {
    const { currentTarget } = event;
    currentTarget.disabled = true;
    said.textContent = "";
    try {
      await file(kind);
      announce(`Saved as ${kind.toUpperCase()}`);
    } catch (error) {
      said.textContent = error.message;
    } finally {
      currentTarget.disabled = false;
    }
  };
  const printed = () => {
    unfold();
    print();
  };
  const button = (text, onclick) => h("button.plain", { type: "button", onclick }, text);
  return h(
    "div.exports",
    { role: "group", "aria-label": "Export" },
    h("span.label", null, "Take away"),
    button("CSV", save("csv")),
    button("XLSX", save("xlsx")),
    button("Print", printed),
    said,
  );
}
