// The answer to a brief: the list, sorted and filtered here, and what can be done with it.

import { Problem, download, getChoices, recommend } from "./api.js";
import { exports, head } from "./answer.js";
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
const UNFOLDED = 50; // creators whose reasons are printed

const last = (value) => value ?? -Infinity;
const ORDERS = {
  rank: ["As ranked", (a, b) => a.rank - b.rank],
  rate: [
    "Conversion rate",
    (a, b) => last(b.conversion_rate?.estimate) - last(a.conversion_rate?.estimate),
  ],
  sure: [
    "Lowest likely rate",
    (a, b) => last(b.conversion_rate?.low) - last(a.conversion_rate?.low),
  ],
  conversions: [
    "Conversions",
    (a, b) => last(b.expected.conversions) - last(a.expected.conversions),
  ],
  cost: [
    "Cost, lowest first",
    (a, b) => (a.expected.cost ?? Infinity) - (b.expected.cost ?? Infinity),
  ],
  each: [
    "Cost of a conversion",
    (a, b) =>
      (a.expected.cost_per_conversion ?? Infinity) - (b.expected.cost_per_conversion ?? Infinity),
  ],
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
    : empty(
        "Nobody fits",
        h("p", null, "The filters together leave no creator. Widen one of them."),
      );
  const side = h("aside", null, pool(answer.pool, brief, again), outlook(answer.portfolio, brief));
  put(root, head(brief, "results", answer), h("div.with-side", null, listed, side));
  const found = format.creators(answer.items.length);
  announce(`${found} found, of ${format.count(answer.pool.eligible)} who can be asked`);
}

function list(answer, brief, currency, again, signal) {
  // The scale ends where most intervals do, so that one wide interval does not flatten the others.
  const highs = answer.items.map((item) => item.conversion_rate?.high ?? 0).sort((a, b) => a - b);
  const most = highs[Math.floor(0.95 * (highs.length - 1))] || 1;
  const compared = tray(signal, currency);
  const actions = {
    compare: compared.toggle,
    exclude: (item) => again(without(brief, item.creator_id)),
  };
  const rows = new Map();
  const element = (item) => {
    if (!rows.has(item.creator_id))
      rows.set(item.creator_id, row(item, { currency, most, actions }));
    return rows.get(item.creator_id);
  };
  const place = h("ol.creators", { "aria-label": "Creators" });
  const shown = h("p.shown", { role: "status" });
  const order = select(
    Object.entries(ORDERS).map(([value, [text]]) => [value, text]),
    "rank",
  );
  const niches = [...new Set(answer.items.map((item) => item.niche?.label).filter(Boolean))].sort();
  const niche = select([["", "Any niche"], ...niches.map((one) => [one, one])]);
  const sure = select([
    ["", "Any confidence"],
    ["high", "High"],
    ["medium", "Medium or high"],
  ]);
  const text = h("input", { type: "search", placeholder: "Name or word" });
  let turn = 0;
  const draw = () => {
    turn += 1;
    const mine = turn;
    const words = text.value.trim().toLocaleLowerCase();
    const keep = answer.items.filter(
      (item) =>
        (!niche.value || item.niche?.label === niche.value) &&
        (!sure.value ||
          item.confidence === "high" ||
          (sure.value === "medium" && item.confidence === "medium")) &&
        (!words || searched(item).includes(words)),
    );
    keep.sort(ORDERS[order.value][1]);
    const all = format.creators(answer.items.length);
    const some = keep.length < answer.items.length;
    shown.textContent = some ? `${format.count(keep.length)} of ${all}` : all;
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
  const same = `recommendation_id=${answer.recommendation_id}`;
  const file = (kind) => download(`v1/recommendations.${kind}?${same}`, body, `creators.${kind}`);
  const unfold = () =>
    [...place.querySelectorAll("details.why")].slice(0, UNFOLDED).forEach((one) => one.unfold());
  return h(
    "div.listing",
    null,
    h(
      "div.toolbar",
      { role: "group", "aria-label": "Sort and filter" },
      field("Sort by", "", order),
      field("Niche", "", niche),
      field("Confidence", "", sure),
      field("Search", "", text),
      exports(file, unfold),
    ),
    shown,
    place,
    compared.element,
  );
}

/** What a search looks in. */
const searched = ({ handle, niche, evidence }) =>
  [handle, niche?.label, ...evidence.map((post) => post.text)].join(" ").toLocaleLowerCase();

function outlook(plan, brief) {
  const section = h(
    "section.outlook",
    { "aria-labelledby": "outlook" },
    h("h2", { id: "outlook" }, "The budget"),
  );
  if (!plan) {
    add(
      section,
      h(
        "p.soft",
        null,
        "Name a budget to see whom it books and what that may bring. ",
        h("a", { href: address("plan", brief) }, "Plan"),
      ),
    );
    return section;
  }
  const brings = plan.expected_conversions;
  add(section, [
    h(
      "p",
      null,
      h("strong", null, format.money(plan.spend, plan.currency)),
      ` books ${format.creators(plan.picked.length)}`,
    ),
    brings &&
      h(
        "p",
        null,
        "About ",
        h("strong", null, format.amount(brings.p50)),
        ` conversions, ${format.likely(brings)}`,
      ),
    h("p", null, h("a.button", { href: address("plan", brief) }, "See the plan")),
  ]);
  return section;
}
