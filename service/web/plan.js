// A budget spread over creators: who, how much, what it may bring, and what more money would.

import { Problem, post } from "./api.js";
import { address, planned, read, tidy } from "./brief.js";
import { axis, bar, colour, lines, standing } from "./charts.js";
import { add, announce, debounced, h, put } from "./dom.js";
import { clearErrors, field, number, showErrors, tokens } from "./fields.js";
import * as format from "./format.js";
import { remember, shortlist } from "./kept.js";
import { exports, head, saver } from "./results.js";
import { show as showForm } from "./form.js";
import { creatorLink } from "./row.js";
import { failure, waiting } from "./states.js";

// The slider goes as far as the curve is drawn.
const LEAST = 0.1;
const MOST = 2;

export async function show(root, params, signal) {
  const brief = read(params);
  if (!brief) {
    location.replace("#/");
    return;
  }
  const constraints = read(params, "constraints") ?? {};
  if (!brief.budget?.amount) {
    put(root, head(brief, "plan"), budgetFirst(brief));
    return;
  }
  put(root, head(brief, "plan"), waiting("Spending the budget"));
  let answer;
  try {
    answer = await post("v1/portfolios", planned(brief, constraints), signal);
  } catch (error) {
    const own = error.errors?.every((one) => one.pointer.startsWith("/constraints"));
    if (error instanceof Problem && error.errors.length && !signal.aborted) {
      if (own) refused(root, brief, constraints, error);
      else showForm(root, brief, error);
      return;
    }
    throw error;
  }
  if (signal.aborted) return;
  draw(root, brief, constraints, answer, signal);
}

function budgetFirst(brief) {
  const amount = number(undefined, { required: true });
  const form = h("form.find", null, field("Budget", "/budget", amount), h("button.primary", { type: "submit" }, "Plan it"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (amount.read()) location.hash = address("plan", { ...brief, budget: { amount: amount.read() } });
  });
  return h("section.panel", null, h("h2", null, "How much is there to spend?"), form);
}

function refused(root, brief, constraints, error) {
  const { element, form } = wishes(brief, constraints, true);
  put(root, head(brief, "plan"), h("section.panel", null, h("h2", null, "No plan keeps all of that"), h("p", { role: "alert" }, error.errors[0].detail)), element);
  showErrors(form, error.errors);
}

function draw(root, brief, constraints, answer, signal) {
  const { currency } = answer.portfolio;
  const base = brief.budget.amount;
  const place = h("div");
  const chart = h("div.chart");
  const slider = h("input", { type: "range", min: LEAST * base, max: MOST * base, step: base / 100, value: base, "aria-label": "Budget" });
  const exact = number(base, { min: 0, required: true });
  let asked = brief;
  let header = head(brief, "plan", answer);
  let at = base;
  let curve = null;
  const mark = (amount) => {
    at = amount;
    slider.setAttribute("aria-valuetext", format.money(amount, currency));
    curve?.redraw();
  };
  const ask = debounced(async (amount) => {
    place.classList.add("busy");
    const next = { ...brief, budget: { ...brief.budget, amount } };
    try {
      const found = await post("v1/portfolios", planned(next, constraints), signal);
      if (at !== amount || signal.aborted) return;
      asked = next;
      put(place, ...body(next, constraints, found));
      // The address, and the ways on, are those of the plan which is seen.
      const now = head(next, "plan", found);
      header.replaceWith(now);
      header = now;
      history.replaceState(null, "", planAddress(next, constraints));
      const brings = found.portfolio.expected_conversions;
      announce(`For ${format.money(amount, currency)}: ${format.plural(found.portfolio.picked.length, "creator", "creators")}${brings ? `, about ${format.amount(brings.p50)} conversions` : ""}`);
    } catch (error) {
      if (error.name !== "AbortError") place.replaceChildren(failure(error));
    } finally {
      place.classList.remove("busy");
    }
  }, 180);
  slider.addEventListener("input", () => {
    exact.value = String(Math.round(slider.value));
    mark(Number(slider.value));
  });
  slider.addEventListener("change", () => ask(Number(slider.value)));
  exact.addEventListener("change", () => {
    if (!(exact.read() > 0)) return;
    slider.value = exact.value;
    mark(exact.read());
    ask(exact.read());
  });
  add(place, body(brief, constraints, answer));
  const file = (kind) => saver(`v1/portfolios.${kind}`, planned(asked, constraints), `plan.${kind}`);
  put(
    root,
    header,
    h("div.spend", null, h("div.field", null, h("span.label", { "aria-hidden": "true" }, "Budget"), slider), field(`Exactly, ${currency}`, "", exact)),
    h("section.panel", { "aria-labelledby": "curve" }, h("h2", { id: "curve" }, "What more or less money would bring"), chart),
    place,
    wishes(brief, constraints, Object.keys(constraints).length > 0).element,
    campaign(() => asked, constraints),
    h("div.panel", null, exports(file)),
  );
  mark(base);
  drawCurve(chart, brief, constraints, () => at, signal).then((made) => {
    curve = made;
  });
}

const planAddress = (brief, constraints) => address("plan", brief, Object.keys(constraints).length ? { constraints } : {});

/** The plan in words and figures. */
function body(brief, constraints, answer) {
  const plan = answer.portfolio;
  const { currency } = plan;
  const money = (value) => format.money(value, currency);
  const brings = plan.expected_conversions;
  const dearest = Math.max(...plan.picked.map((one) => one.cost), 1);
  const never = (one) => planAddress(brief, { ...constraints, never: [...new Set([...(constraints.never ?? []), one.creator_id])], must_have: constraints.must_have?.filter((id) => id !== one.creator_id) });
  const line = (one) =>
    h(
      "tr",
      null,
      h("th", { scope: "row" }, creatorLink(one), h("span.soft", null, ` ${format.platform(one.platform)}`)),
      h("td.n", { "data-label": "A post" }, one.price_is_estimate ? `about ${money(one.cost)}` : money(one.cost), one.cost_basis === "gift" && " (product)"),
      h("td", { "data-label": "Of the money" }, bar(one.cost / dearest)),
      h("td.n", { "data-label": "By itself" }, format.amount(one.expected_conversions)),
      h("td.n", { "data-label": "Adds" }, format.amount(one.adds_conversions)),
      h("td.n.wide", null, h("a", { href: never(one), "aria-label": `Leave out ${one.handle}` }, "Leave out")),
    );
  return [
    h(
      "section.panel",
      { "aria-labelledby": "forecast" },
      h("h2.hidden", { id: "forecast" }, "Forecast"),
      brings
        ? h("div.forecast", null, h("p.big", null, format.amount(brings.p50), h("small", null, ` conversions, likely ${format.amount(brings.p10)} to ${format.amount(brings.p90)}`)))
        : h("p", null, "This model orders creators and foretells no conversions."),
      h("p", null, h("strong", null, money(plan.spend)), ` of ${money(plan.budget)} books `, h("strong", null, format.plural(plan.picked.length, "creator", "creators")), brings && brings.p50 > 0 && `: about ${money(plan.spend / brings.p50)} a conversion`, "."),
    ),
    h("div.cards.panel", null, overlap(plan), large(plan, money), best(plan)),
    h(
      "section.panel",
      { "aria-labelledby": "who" },
      h("h2", { id: "who" }, "Who to book"),
      plan.picked.length
        ? h("table.stack", null, h("thead", null, h("tr", null, h("th", { scope: "col" }, "Creator"), h("th.n", { scope: "col" }, "A post"), h("th", { scope: "col" }, "Of the money"), h("th.n", { scope: "col", title: "Conversions that its post brings by itself" }, "By itself"), h("th.n", { scope: "col", title: "What is left where others of the plan reach the same people" }, "Adds"), h("th.n", { scope: "col" }, h("span.hidden", null, "Change")))), h("tbody", null, plan.picked.map(line)))
        : h("p.soft", null, "Nobody can be booked for that. A larger budget or wider filters would help."),
    ),
  ];
}

function overlap(plan) {
  if (!plan.overlap || !plan.picked.length) return null;
  const { share, known_audiences: known, estimated_audiences: guessed, note } = plan.overlap;
  return h("section", null, h("h3", null, `${format.percent(share)} overlap`), h("p.soft", null, `Of what they bring by themselves, others of the plan bring it too. ${format.plural(known, "audience is", "audiences are")} known, ${format.count(guessed)} estimated; ${note}.`));
}

function large(plan, money) {
  const one = plan.large_account;
  if (!one) return null;
  const brings = one.expected_conversions;
  return h(
    "section",
    null,
    h("h3", null, "Or one large account"),
    h("p.soft", null, one.text, "."),
    brings && one.handle && h("p.soft", null, creatorLink(one), ` for ${money(one.cost)}`),
    brings && plan.expected_conversions && standing(brings.p10, brings.p50, brings.p90, plan.expected_conversions.p50, `The large account brings ${format.amount(brings.p10)} to ${format.amount(brings.p90)}; the plan about ${format.amount(plan.expected_conversions.p50)}`),
  );
}

function best(plan) {
  if (plan.of_best === null) return null;
  return h("section", null, h("h3", null, plan.of_best >= 0.9995 ? "The best plan there is" : `Within ${format.rate(1 - plan.of_best)} of the best plan`), h("p.soft", null, "By these estimates no other choice for the money brings more than that."));
}

async function drawCurve(place, brief, constraints, at, signal) {
  place.replaceChildren(waiting("Planning for other budgets"));
  let found;
  try {
    found = await post("v1/portfolios/curve", planned(brief, constraints), signal);
  } catch (error) {
    if (error.name !== "AbortError") place.replaceChildren(failure(error));
    return null;
  }
  const points = found.points.filter((one) => one.expected_conversions);
  if (signal.aborted) return null;
  if (points.length < 2) {
    place.replaceChildren(h("p.soft", null, "This model foretells no conversions, so there is no curve."));
    return null;
  }
  place.replaceChildren(
    h("p.legend", null, h("span.key", { "--key": "var(--accent)" }, "conversions to expect"), h("span.key", { "--key": "var(--range)" }, "the likely range (80%)")),
  );
  const holder = h("div");
  add(place, [holder, table(points, found.currency)]);
  const at10 = (name) => points.map((one) => one.expected_conversions[name]);
  return lines(
    holder,
    [points.map((one) => one.budget), at10("p90"), at10("p50"), at10("p10")],
    () => ({
      scales: { x: { time: false }, y: { range: (_, __, high) => [0, high * 1.08] } },
      axes: [axis((value) => format.money(value, found.currency)), axis((value) => format.figure(value), { size: 46 })],
      series: [{}, { stroke: "transparent", points: { show: false } }, { stroke: colour("accent"), width: 2.5, points: { show: true, size: 5, fill: colour("accent") } }, { stroke: "transparent", points: { show: false } }],
      bands: [{ series: [1, 3], fill: `color-mix(in srgb, ${colour("range")} 45%, transparent)` }],
      cursor: { show: false },
      hooks: { draw: [(chart) => marker(chart, at())] },
    }),
    signal,
  );
}

function marker(chart, amount) {
  const { ctx, bbox } = chart;
  const x = Math.round(chart.valToPos(amount, "x", true));
  if (x < bbox.left || x > bbox.left + bbox.width) return;
  ctx.save();
  ctx.strokeStyle = colour("ink");
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.restore();
}

function table(points, currency) {
  return h("details.signals", null, h("summary", null, "The curve in figures"), h("table", null, h("thead", null, h("tr", null, ["Budget", "Creators", "Conversions", "Likely"].map((text, place) => h(place ? "th.n" : "th", { scope: "col" }, text)))), h("tbody", null, points.map((one) => h("tr", null, h("th", { scope: "row" }, format.money(one.budget, currency)), h("td.n", null, format.count(one.creators)), h("td.n", null, format.amount(one.expected_conversions.p50)), h("td.n", null, `${format.amount(one.expected_conversions.p10)} – ${format.amount(one.expected_conversions.p90)}`))))));
}

/** What the plan has to keep. */
function wishes(brief, constraints, open) {
  const least = number(constraints.min_creators, { step: 1 });
  const most = number(constraints.max_creators, { step: 1, min: 1 });
  const share = (value) => number(typeof value === "number" ? value : undefined, { scale: 100, max: 100 });
  const platform = share(constraints.max_share?.platform);
  const niche = share(constraints.max_share?.niche);
  const listed = shortlist().map((one) => [one.creator_id, one.handle]);
  const must = tokens("Has to hold", "/constraints/must_have", constraints.must_have, { suggest: listed, hint: "Creator ids, or from your shortlist." });
  const never = tokens("Never", "/constraints/never", constraints.never, { suggest: listed });
  const form = h(
    "form",
    { novalidate: true },
    h("div.row", null, field("At least so many creators", "/constraints/min_creators", least), field("At most", "/constraints/max_creators", most), field("To one platform at most, %", "/constraints/max_share/platform", platform), field("To one niche at most, %", "/constraints/max_share/niche", niche)),
    h("div.row", null, must, never),
    h("button", { type: "submit" }, "Plan again"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearErrors(form);
    const next = tidy({ min_creators: least.read(), max_creators: most.read(), max_share: { platform: platform.read(), niche: niche.read() }, must_have: must.read(), never: never.read() });
    const to = planAddress(read(new URLSearchParams(location.hash.split("?")[1])) ?? brief, next);
    if (location.hash === to) dispatchEvent(new HashChangeEvent("hashchange"));
    else location.hash = to;
  });
  const element = h("details.constraints", { open }, h("summary", null, "What the plan has to keep"), form);
  return { element, form };
}

/** Keep a plan as a campaign's, so that its report stands against it. */
function campaign(asked, constraints) {
  const name = h("input", { type: "text", maxlength: 200, required: true });
  const said = h("p", { role: "status" });
  const form = h("form.find", { novalidate: true }, field("Keep it as the plan of campaign", "/campaign_id", name, { hint: "Its outcomes will be compared with this forecast." }), h("button", { type: "submit" }, "Keep the plan"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearErrors(form);
    const id = name.value.trim();
    if (!id) {
      showErrors(form, [{ pointer: "/campaign_id", detail: "a name is needed" }]);
      return;
    }
    try {
      await post("v1/portfolios", { ...planned(asked(), constraints), campaign_id: id });
      remember(id);
      said.replaceChildren("Kept. ", h("a", { href: `#/campaign?${new URLSearchParams({ id })}` }, "Open the campaign"));
    } catch (error) {
      if (showErrors(form, error.errors ?? []).length || !error.errors?.length) said.replaceChildren(error.message);
    }
  });
  return h("section.panel", { "aria-labelledby": "keep" }, h("h2", { id: "keep" }, "Run it"), form, said);
}
