// What several pages are made of: panels, facts, tables, and the addresses of things.

import { h, unique } from "./dom.js";

export const creatorAddress = (id) => `#/creator?${new URLSearchParams({ id })}`;
export const campaignAddress = (id) => `#/campaign?${new URLSearchParams({ id })}`;

/** A part of a page under its own heading. */
export function panel(title, ...children) {
  const id = unique("panel");
  return h("section.panel", { "aria-labelledby": id }, h("h2", { id }, title), ...children);
}

/** Facts in a row, as [term, text] pairs. */
export function facts(pairs) {
  const fact = ([term, text]) => h("div", null, h("dt", null, term), h("dd", null, text ?? "–"));
  return h("dl.facts", null, pairs.map(fact));
}

/**
 * A table of which each row's first cell names the row.
 *
 * A column is its title, or { title, number, tip, label, wide, hidden }: `number` stands to the
 * right, `hidden` is a title for those who listen. With `stack`, rows become cards on a phone, on
 * which each cell has its column's `label` or title above it; a `wide` cell has none.
 */
export function table(columns, rows, { stack = false } = {}) {
  const all = columns.map((one) => (typeof one === "string" ? { title: one } : one));
  const tag = (name, ...classes) => [name, ...classes.filter(Boolean)].join(".");
  const head = (one) => {
    const title = one.hidden ? h("span.hidden", null, one.title) : one.title;
    return h(tag("th", one.number && "n"), { scope: "col", title: one.tip }, title);
  };
  const cell = (content, place) => {
    if (place === 0) return h("th", { scope: "row" }, content);
    const { title, label = title, number, wide } = all[place];
    const attributes = { "data-label": stack && !wide ? label : null };
    return h(tag("td", number && "n", wide && "wide"), attributes, content);
  };
  return h(
    tag("table", stack && "stack"),
    null,
    all.some((one) => one.title) && h("thead", null, h("tr", null, all.map(head))),
    h(
      "tbody",
      null,
      rows.map((row) => h("tr", null, row.map(cell))),
    ),
  );
}

/** What may be wider than the screen, and is then moved by itself. */
export function scrolled(label, child) {
  return h("div.scroll", { tabindex: 0, role: "region", "aria-label": label }, child);
}
