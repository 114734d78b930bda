// The answer to a brief: the list, sorted and filtered here, and what can be done with it.

import { Problem, download, getChoices, recommend } from "./api.js";
import { address, asked, read, without } from "./brief.js";
import { tray } from "./compare.js";
import { add, announce, debounced, h, put } from "./dom.js";
import { field, select } from "./fields.js";
import * as format from "./format.js";
import { show as showForm } from "./form.js";
import { pool } from "./pool.js";
import { row } from "./row.js";
import { empty, waiting } from "./states.js";

const AT_ONCE = 24; // rows drawn before the first is seen: more than a tall screen holds
const CHUNK = 80;

const last = (value) => value ?? -Infinity;
const ORDERS = {
  rank: ["As ranked", (a, b) => a.rank - b.rank],
  rate: ["Conversion rate", (a, b) => last(b.conversion_rate?.estimate) - last(a.conversion_rate?.estimate)],
  sure: ["Lowest likely rate", (a, b) => last(b.conversion_rate?.low) - last(a.conversion_rate?.low)],
  conversions: ["Conversions", (a, b) => last(b.expected.conversions) - last(a.expected.conversions)],
  cost: ["Cost, lowest first", (a, b) => (a.expected.cost ?? Infinity) - (b.expected.cost ?? Infinity)],
  each: ["Cost of a conversion", (a, b) => (a.expected.cost_per_conversion ?? Infinity) - (b.expected.cost_per_conversion ?? Infinity)],
  followers: ["Followers", (a, b) => last(b.follower_count) - last(a.follower_count)],
};

export async function show(root, params, signal) {
  const brief = read(params);
  if (!brief) {
    location.replace("#/");
    return;
  }
  put(root, head(brief, "results"), waiting("Ranking creators"));
  let answer;
  let currency;
  try {
    [answer, { currency }] = await Promise.all([recommend(asked(brief), signal), getChoices()]);
  } catch (error) {
    if (error instanceof Problem && error.errors.length) {
      if (!signal.aborted) showForm(root, brief, error);
      return;
    }
    throw error;
  }
  if (signal.aborted) return;
  const again = (next) => {
    location.hash = address("results", next);
  };
  const listed = answer.items.length
    ? list(answer, brief, currency, again, signal)
    : empty("Nobody fits", h("p", null, "The filters together leave no creator. Widen one of them."));
  const side = h("aside", null, pool(answer.pool, brief, again), outlook(answer.portfolio, brief));
  put(root, head(brief, "results", answer), h("div.with-side", null, listed, side));
  announce(`${format.plural(answer.items.length, "creator", "creators")} found, of ${format.count(answer.pool.eligible)} who can be asked`);
}

/** The top of a brief's pages: what was asked, and the way between them. */
export function head(brief, here, answer) {
  const tab = (page, text) => h("a", { href: address(page, brief), "aria-current": page === here ? "page" : null }, text);
  return h(
    "header.asked",
    null,
    h("h1", null, here === "plan" ? "Plan" : "Creators", h("span.for", null, ` for ${brief.brand?.name ?? "a brand"}`)),
    h("p.query", null, brief.query, " ", h("a", { href: address("", brief) }, "Change the brief")),
    h("nav.tabs", { "aria-label": "Answer" }, tab("results", "Creators"), tab("plan", "Plan")),
    answer?.model?.kind === "heuristic" && h("p.note", null, "Too few outcomes are known to estimate rates: this order is by rules."),
  );
}

function list(answer, brief, currency, again, signal) {
  // The scale ends where most intervals do, so that one wide interval does not flatten the others.
  const highs = answer.items.map((item) => item.conversion_rate?.high ?? 0).sort((a, b) => a - b);
  const most = highs[Math.floor(0.95 * (highs.length - 1))] || 1;
  const compared = tray(signal, currency);
  const actions = { compare: compared.toggle, exclude: (item) => again(without(brief, item.creator_id)) };
  const rows = new Map();
  const element = (item) => {
    if (!rows.has(item.creator_id)) rows.set(item.creator_id, row(item, { currency, most, actions }));
    return rows.get(item.creator_id);
  };
  const place = h("ol.creators", { "aria-label": "Creators" });
  const shown = h("p.shown", { role: "status" });
  const order = select(Object.entries(ORDERS).map(([value, [text]]) => [value, text]), "rank");
  const niches = [...new Set(answer.items.map((item) => item.niche?.label).filter(Boolean))].sort();
  const niche = select([["", "Any niche"], ...niches.map((one) => [one, one])]);
  const sure = select([["", "Any confidence"], ["high", "High"], ["medium", "Medium or high"]]);
  const text = h("input", { type: "search", placeholder: "Name or word" });
  let turn = 0;
  const draw = () => {
    turn += 1;
    const mine = turn;
    const words = text.value.trim().toLocaleLowerCase();
    const keep = answer.items.filter(
      (item) =>
        (!niche.value || item.niche?.label === niche.value) &&
        (!sure.value || item.confidence === "high" || (sure.value === "medium" && item.confidence === "medium")) &&
        (!words || searched(item).includes(words)),
    );
    keep.sort(ORDERS[order.value][1]);
    shown.textContent = keep.length === answer.items.length ? format.plural(keep.length, "creator", "creators") : `${format.count(keep.length)} of ${format.plural(answer.items.length, "creator", "creators")}`;
    place.replaceChildren(...keep.slice(0, AT_ONCE).map(element));
    let next = AT_ONCE;
    const more = () => {
      if (mine !== turn || signal.aborted || next >= keep.length) return;
      place.append(...keep.slice(next, next + CHUNK).map(element));
      next += CHUNK;
      setTimeout(more, 0);
    };
    setTimeout(more, 30);
  };
  for (const control of [order, niche, sure]) control.addEventListener("change", draw);
  text.addEventListener("input", debounced(draw, 120));
  draw();
  const body = asked(brief);
  const file = (kind) => saver(`v1/recommendations.${kind}?recommendation_id=${answer.recommendation_id}`, body, `creators.${kind}`);
  return h(
    "div.listing",
    null,
    h("div.toolbar", { role: "group", "aria-label": "Sort and filter" }, field("Sort by", "", order), field("Niche", "", niche), field("Confidence", "", sure), field("Search", "", text), exports(file)),
    shown,
    place,
    compared.element,
  );
}

const searched = (item) => `${item.handle} ${item.niche?.label ?? ""} ${item.evidence.map((post) => post.text).join(" ")}`.toLocaleLowerCase();

/** The buttons that take a list or plan away; `file(kind)` saves it. */
export function exports(file) {
  const said = h("span.wrong", { role: "alert" });
  const button = (kind) =>
    h("button.plain", {
      type: "button",
      onclick: async (event) => {
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
      },
    }, kind.toUpperCase());
  return h("div.exports", { role: "group", "aria-label": "Export" }, h("span.label", null, "Take away"), button("csv"), button("xlsx"), h("button.plain", { type: "button", onclick: () => print() }, "Print"), said);
}

export const saver = (path, body, name) => download(path, body, name);

function outlook(plan, brief) {
  const section = h("section.outlook", { "aria-labelledby": "outlook" }, h("h2", { id: "outlook" }, "The budget"));
  if (!plan) {
    add(section, h("p.soft", null, "Name a budget to see whom it books and what that may bring. ", h("a", { href: address("plan", brief) }, "Plan")));
    return section;
  }
  const brings = plan.expected_conversions;
  add(section, [
    h("p", null, h("strong", null, format.money(plan.spend, plan.currency)), ` books ${format.plural(plan.picked.length, "creator", "creators")}`),
    brings && h("p", null, "About ", h("strong", null, format.amount(brings.p50)), ` conversions, likely ${format.amount(brings.p10)} to ${format.amount(brings.p90)}`),
    h("p", null, h("a.button", { href: address("plan", brief) }, "See the plan")),
  ]);
  return section;
}
