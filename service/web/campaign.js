// A campaign: what came of it against its forecast, and where the rest of the money should go.

import { Problem, at, get } from "./api.js";
import { standing } from "./charts.js";
import { add, h, put } from "./dom.js";
import { clearErrors, field, number, showErrors } from "./fields.js";
import * as format from "./format.js";
import { campaigns, remember } from "./kept.js";
import { failure, waiting } from "./states.js";

const ACTIONS = { scale_up: "Scale up", hold: "Hold", scale_down: "Scale down", stop: "Stop" };
const link = (id) => h("a", { href: `#/creator?${new URLSearchParams({ id })}`, "data-named": id }, id);

/** Write handles where ids stand; where they cannot be had, ids do. */
async function name(place, signal) {
  const links = [...place.querySelectorAll("[data-named]")];
  if (!links.length) return;
  const ids = [...new Set(links.map((one) => one.dataset.named))].slice(0, 500);
  try {
    const found = await get(`v1/handles?${new URLSearchParams(ids.map((id) => ["id", id]))}`, signal);
    const handles = new Map(found.map((one) => [one.creator_id, one.handle]));
    for (const one of links) one.textContent = handles.get(one.dataset.named) ?? one.dataset.named;
  } catch {
    // Ids stay.
  }
}

export async function show(root, params, signal) {
  const id = params.get("id");
  put(root, h("h1", null, id ?? "Campaigns"), finder(id));
  if (!id) return;
  document.title = `${id} · creatorfit`;
  const wait = waiting("Reading what came in");
  add(root, wait);
  let found;
  try {
    found = await get(at("campaigns", id), signal);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    wait.replaceWith(failure(error));
    return;
  }
  if (signal.aborted) return;
  remember(id);
  wait.replaceWith(report(found), allocation(found, signal));
  await name(root, signal);
}

function finder(id) {
  const name = h("input", { type: "text", required: true, maxlength: 200, value: id ?? "" });
  const form = h("form.find", null, field("Campaign", "", name), h("button.primary", { type: "submit" }, "Open"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (name.value.trim()) location.hash = `#/campaign?${new URLSearchParams({ id: name.value.trim() })}`;
  });
  const seen = campaigns().filter((one) => one !== id);
  return h(
    "div",
    null,
    form,
    seen.length > 0 && h("section", { "aria-labelledby": "seen" }, h("h2", { id: "seen" }, "Looked at before"), h("ul.plainlist", null, seen.map((one) => h("li", null, h("a", { href: `#/campaign?${new URLSearchParams({ id: one })}` }, one))))),
    !id && !seen.length && h("p.soft", null, "A campaign is there once its plan was kept or an outcome of it was sent to the service."),
  );
}

function report(found) {
  const { total, budget } = found;
  const money = (value) => (budget ? format.money(value, budget.currency) : format.figure(value));
  const fact = (term, text) => h("div", null, h("dt", null, term), h("dd", null, text));
  return h(
    "div",
    null,
    h("dl.facts", null, fact("Conversions", format.count(total.conversions)), fact("Posts", format.count(total.collaborations)), fact("Impressions", format.compact(total.impressions)), fact("Conversion rate", format.rate(total.conversion_rate)), fact("Spent", money(total.cost)), fact("A conversion", money(total.cost_per_conversion)), fact("Left", money(found.remaining)), fact("Running", `${format.figure(found.days_running)} days${found.is_final ? ", final" : ""}`)),
    forecast(found.forecast),
    h(
      "section.panel",
      { "aria-labelledby": "by" },
      h("h2", { id: "by" }, "By creator"),
      found.creators.length
        ? h("table.stack", null, h("thead", null, h("tr", null, h("th", { scope: "col" }, "Creator"), h("th.n", { scope: "col" }, "Impressions"), h("th.n", { scope: "col" }, "Conversions"), h("th.n", { scope: "col" }, "Forecast"), h("th.n", { scope: "col" }, "Spent"))), h("tbody", null, found.creators.map((one) => line(one, money))))
        : h("p.soft", null, "No outcome came in yet."),
    ),
  );
}

function line(one, money) {
  const expected = one.forecast?.expected_conversions;
  return h("tr", null, h("th", { scope: "row" }, link(one.creator_id)), h("td.n", { "data-label": "Impressions" }, format.count(one.impressions)), h("td.n", { "data-label": "Conversions" }, h("strong", null, format.count(one.conversions))), h("td.n", { "data-label": "Forecast" }, expected ? `${format.amount(expected.low)} – ${format.amount(expected.high)}` : "none"), h("td.n", { "data-label": "Spent" }, money(one.cost)));
}

function forecast(found) {
  if (!found) return h("section.panel", null, h("h2", null, "Against its forecast"), h("p.soft", null, "No stored answer foretold anything of these creators, or nothing came in yet."));
  const { p10, p50, p90 } = found.expected_conversions;
  const words = `${format.count(found.conversions)} came; ${format.amount(p50)} were to be expected of those impressions, likely ${format.amount(p10)} to ${format.amount(p90)}`;
  return h("section.panel", { "aria-labelledby": "against" }, h("h2", { id: "against" }, found.standing[0].toUpperCase() + found.standing.slice(1)), standing(p10, p50, p90, found.conversions, words), h("p", null, words, `. ${format.plural(found.creators, "creator has", "creators have")} a forecast.`));
}

function allocation(found, signal) {
  const place = h("div");
  const left = number(undefined, { placeholder: found.remaining === null ? "" : format.figure(found.remaining) });
  const weeks = number(undefined, { min: 1, step: 1 });
  const most = number(undefined);
  const form = h("form.asks", { novalidate: true }, field("Money left", "/query/remaining", left), field("Weeks left", "/query/weeks_left", weeks), field("Most for a conversion", "/query/most_per_conversion", most), h("button", { type: "submit" }, "Ask again"));
  const ask = async (byHand) => {
    clearErrors(form);
    place.replaceChildren(waiting("Weighing what came in"));
    const said = Object.entries({ remaining: left.read(), weeks_left: weeks.read(), most_per_conversion: most.read() }).filter(([, value]) => value !== undefined);
    try {
      const advice = await get(at("campaigns", found.campaign_id, `/allocation?${new URLSearchParams(said)}`), signal);
      put(place, ...advised(advice));
      await name(place, signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      place.replaceChildren();
      // Unasked, the field is told of and not jumped to.
      const active = document.activeElement;
      const others = error instanceof Problem ? showErrors(form, error.errors) : [];
      if (!byHand) active?.focus?.();
      if (others.length || !error.errors?.length) place.replaceChildren(failure(error));
    }
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask(true);
  });
  ask(false);
  return h("section.panel", { "aria-labelledby": "rest" }, h("h2", { id: "rest" }, "Where the rest should go"), form, place);
}

function advised(advice) {
  const money = (value) => (advice.currency ? format.money(value, advice.currency) : format.figure(value));
  if (!advice.creators.length) return [h("p.soft", null, "There is nobody to spend it on.")];
  return [
    h("p", null, h("strong", null, money(advice.amount)), ` of ${money(advice.remaining)} is to be spent, for about `, h("strong", null, format.amount(advice.expected_conversions)), " conversions."),
    h("table.stack", null, h("thead", null, h("tr", null, h("th", { scope: "col" }, "Creator"), h("th", { scope: "col" }, "Do"), h("th.n", { scope: "col" }, "Money"), h("th.n", { scope: "col" }, "Posts"), h("th.n", { scope: "col" }, "To expect"), h("th", { scope: "col" }, "Why"))), h("tbody", null, advice.creators.map((one) => h("tr", null, h("th", { scope: "row" }, link(one.creator_id)), h("td", { "data-label": "Do" }, h(`span.action.${one.action}`, null, ACTIONS[one.action] ?? one.action)), h("td.n", { "data-label": "Money" }, money(one.amount)), h("td.n", { "data-label": "Posts, now" }, `${format.count(one.posts)}${one.next_posts ? ` (${format.count(one.next_posts)} now)` : ""}`), h("td.n", { "data-label": "To expect" }, format.amount(one.expected_conversions)), h("td.wide", null, one.reason))))),
  ];
}
