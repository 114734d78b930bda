// Campaigns: those there are; what came of one against its forecast, and where the rest should go.

import { Problem, at, get } from "./api.js";
import { standing } from "./charts.js";
import { add, h, put } from "./dom.js";
import { clearErrors, field, number, showErrors } from "./fields.js";
import * as format from "./format.js";
import { campaignAddress, creatorAddress, facts, panel, table } from "./parts.js";
import { empty, failure, waiting } from "./states.js";

const ACTIONS = { scale_up: "Scale up", hold: "Hold", scale_down: "Scale down", stop: "Stop" };
const LISTED = 200;
const NAMED = 500; // ids that are asked after at once
const STACK = { stack: true };

export async function show(root, params, signal) {
  const id = params.get("id");
  if (id) await showOne(root, id, signal);
  else await showAll(root, signal);
}

async function showAll(root, signal) {
  const wait = waiting("Reading the campaigns");
  put(root, h("h1", null, "Campaigns"), finder(), wait);
  try {
    const found = await get(`v1/campaigns?limit=${LISTED}`, signal);
    wait.replaceWith(campaigns(found));
  } catch (error) {
    if (error.name === "AbortError") throw error;
    wait.replaceWith(failure(error, () => showAll(root, signal)));
  }
}

function finder() {
  const name = h("input", { type: "text", required: true, maxlength: 200 });
  const open = h("button.primary", { type: "submit" }, "Open");
  const form = h("form.find", null, field("Campaign", "", name), open);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (name.value.trim()) location.hash = campaignAddress(name.value.trim());
  });
  return form;
}

function campaigns(found) {
  if (!found.campaigns.length) {
    const how = "One is there once its plan is kept, or an outcome of it is sent to the service.";
    return empty("No campaign yet", h("p", null, how));
  }
  const columns = [
    "Campaign",
    "Brand",
    { title: "First asked for" },
    { title: "Last outcome" },
    { title: "Outcomes", number: true },
    { title: "Conversions", number: true },
  ];
  const rows = found.campaigns.map((one) => [
    h("a", { href: campaignAddress(one.campaign_id) }, one.campaign_id),
    one.brand,
    format.date(one.first_asked_at),
    format.date(one.last_outcome_at),
    format.count(one.outcomes),
    format.count(one.conversions),
  ]);
  const rest = `The latest ${format.count(LISTED)} are listed; any other opens by its name.`;
  return h("div", null, table(columns, rows, STACK), found.more && h("p.soft", null, rest));
}

async function showOne(root, id, signal) {
  document.title = `${id} · creatorfit`;
  const wait = waiting("Reading what came in");
  put(root, h("h1", null, id), wait);
  let found;
  try {
    found = await get(at("campaigns", id), signal);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    const others = h("p", null, h("a", { href: "#/campaign" }, "All campaigns"));
    wait.replaceWith(
      failure(error, () => showOne(root, id, signal)),
      others,
    );
    return;
  }
  if (signal.aborted) return;
  wait.replaceWith(report(found), allocation(found, signal));
  await name(root, signal);
}

const link = (id) => h("a", { href: creatorAddress(id), "data-named": id }, id);

/** Write handles where ids stand; where they cannot be had, ids do. */
async function name(place, signal) {
  const links = [...place.querySelectorAll("[data-named]")];
  if (!links.length) return;
  const ids = [...new Set(links.map((one) => one.dataset.named))].slice(0, NAMED);
  try {
    const asked = new URLSearchParams(ids.map((id) => ["id", id]));
    const found = await get(`v1/handles?${asked}`, signal);
    const handles = new Map(found.map((one) => [one.creator_id, one.handle]));
    for (const one of links) one.textContent = handles.get(one.dataset.named) ?? one.dataset.named;
  } catch {
    // Ids stay.
  }
}

/** Amounts in a currency, or bare where there is none. */
const moneyIn = (currency) => (value) =>
  currency ? format.money(value, currency) : format.figure(value);

function report(found) {
  const { total } = found;
  const money = moneyIn(found.budget?.currency);
  const columns = [
    "Creator",
    { title: "Impressions", number: true },
    { title: "Conversions", number: true },
    { title: "Forecast", number: true },
    { title: "Spent", number: true },
  ];
  const line = (one) => {
    const expected = one.forecast?.expected_conversions;
    return [
      link(one.creator_id),
      format.count(one.impressions),
      h("strong", null, format.count(one.conversions)),
      expected ? `${format.amount(expected.low)} – ${format.amount(expected.high)}` : "none",
      money(one.cost),
    ];
  };
  return h(
    "div",
    null,
    facts([
      ["Conversions", format.count(total.conversions)],
      ["Posts", format.count(total.collaborations)],
      ["Impressions", format.compact(total.impressions)],
      ["Conversion rate", format.rate(total.conversion_rate)],
      ["Spent", money(total.cost)],
      ["A conversion", money(total.cost_per_conversion)],
      ["Left", money(found.remaining)],
      ["Running", `${format.figure(found.days_running)} days${found.is_final ? ", final" : ""}`],
    ]),
    forecast(found.forecast),
    panel(
      "By creator",
      found.creators.length
        ? table(columns, found.creators.map(line), STACK)
        : h("p.soft", null, "No outcome came in yet."),
    ),
  );
}

function forecast(found) {
  if (!found) {
    const none = "No stored answer foretold anything of these creators, or nothing came in yet.";
    return panel("Against its forecast", h("p.soft", null, none));
  }
  const { p10, p50, p90 } = found.expected_conversions;
  const expected = `${format.amount(p50)} were to be expected of those impressions`;
  const came = `${format.count(found.conversions)} came`;
  const words = `${came}; ${expected}, ${format.likely(found.expected_conversions)}`;
  return panel(
    found.standing[0].toUpperCase() + found.standing.slice(1),
    standing(p10, p50, p90, found.conversions, words),
    h(
      "p",
      null,
      `${words}. ${format.plural(found.creators, "creator has", "creators have")} a forecast.`,
    ),
  );
}

function allocation(found, signal) {
  const place = h("div");
  const known = found.remaining === null ? "" : format.figure(found.remaining);
  const remaining = number(undefined, { placeholder: known });
  const weeks = number(undefined, { min: 1, step: 1 });
  const most = number(undefined);
  const form = h(
    "form.asks",
    { novalidate: true },
    field("Money left", "/query/remaining", remaining),
    field("Weeks left", "/query/weeks_left", weeks),
    field("Most for a conversion", "/query/most_per_conversion", most),
    h("button", { type: "submit" }, "Ask again"),
  );
  const ask = async (byHand) => {
    clearErrors(form);
    place.replaceChildren(waiting("Weighing what came in"));
    const said = Object.entries({
      remaining: remaining.read(),
      weeks_left: weeks.read(),
      most_per_conversion: most.read(),
    }).filter(([, value]) => value !== undefined);
    try {
      const path = `/allocation?${new URLSearchParams(said)}`;
      const advice = await get(at("campaigns", found.campaign_id, path), signal);
      put(place, ...advised(advice));
      await name(place, signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      place.replaceChildren();
      // Unasked, the field is told of and not jumped to.
      const active = document.activeElement;
      const others = error instanceof Problem ? showErrors(form, error.errors) : [];
      if (!byHand) active?.focus?.();
      if (others.length || !error.errors?.length)
        add(
          place,
          failure(error, () => ask(true)),
        );
    }
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask(true);
  });
  ask(false);
  return panel("Where the rest should go", form, place);
}

function advised(advice) {
  const money = moneyIn(advice.currency);
  if (!advice.creators.length) return [h("p.soft", null, "There is nobody to spend it on.")];
  const columns = [
    "Creator",
    "Do",
    { title: "Money", number: true },
    { title: "Posts", label: "Posts, now", number: true },
    { title: "To expect", number: true },
    { title: "Why", wide: true },
  ];
  const rows = advice.creators.map((one) => [
    link(one.creator_id),
    h(`span.action.${one.action}`, null, ACTIONS[one.action] ?? one.action),
    money(one.amount),
    `${format.count(one.posts)}${one.next_posts ? ` (${format.count(one.next_posts)} now)` : ""}`,
    format.amount(one.expected_conversions),
    one.reason,
  ]);
  const brings = h("strong", null, format.amount(advice.expected_conversions));
  return [
    h(
      "p",
      null,
      h("strong", null, money(advice.amount)),
      ` of ${money(advice.remaining)} is to be spent, for about `,
      brings,
      " conversions.",
    ),
    table(columns, rows, STACK),
  ];
}
