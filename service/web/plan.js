// A budget spread over creators, and what more or less of it would bring.

import { Problem, download, post } from "./api.js";
import { exports, head } from "./answer.js";
import { planned, read } from "./brief.js";
import { add, announce, debounced, h, put } from "./dom.js";
import { field, number, showErrors } from "./fields.js";
import { show as showForm } from "./form.js";
import * as format from "./format.js";
import { panel } from "./parts.js";
import { body } from "./plan_body.js";
import { drawCurve } from "./plan_curve.js";
import { keeper, planAddress, wishes } from "./plan_wishes.js";
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
  const form = h(
    "form.find",
    null,
    field("Budget", "/budget", amount),
    h("button.primary", { type: "submit" }, "Plan it"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const budget = { amount: amount.read() };
    if (budget.amount) location.hash = planAddress({ ...brief, budget }, {});
  });
  return panel("How much is there to spend?", form);
}

function refused(root, brief, constraints, error) {
  const { element, form } = wishes(brief, constraints, true);
  put(
    root,
    head(brief, "plan"),
    panel("No plan keeps all of that", h("p", { role: "alert" }, error.errors[0].detail)),
    element,
  );
  showErrors(form, error.errors);
}

function draw(root, brief, constraints, answer, signal) {
  const { currency } = answer.portfolio;
  const base = brief.budget.amount;
  const place = h("div");
  const chart = h("div.chart");
  const slider = h("input", {
    type: "range",
    min: LEAST * base,
    max: MOST * base,
    step: base / 100,
    value: base,
    "aria-label": "Budget",
  });
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
      const books = format.creators(found.portfolio.picked.length);
      const told = brings ? `, about ${format.amount(brings.p50)} conversions` : "";
      announce(`For ${format.money(amount, currency)}: ${books}${told}`);
    } catch (error) {
      if (error.name !== "AbortError") place.replaceChildren(failure(error, () => ask(amount)));
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
    const amount = exact.read();
    if (!(amount > 0)) return;
    if (amount < LEAST * base || amount > MOST * base) {
      // Beyond the curve: a curve of its own.
      location.hash = planAddress({ ...brief, budget: { ...brief.budget, amount } }, constraints);
      return;
    }
    slider.value = String(amount);
    mark(amount);
    ask(amount);
  });
  add(place, body(brief, constraints, answer));
  const file = (kind) =>
    download(`v1/portfolios.${kind}`, planned(asked, constraints), `plan.${kind}`);
  put(
    root,
    header,
    h(
      "div.spend",
      null,
      h("div.field", null, h("span.label", { "aria-hidden": "true" }, "Budget"), slider),
      field(`Exactly, ${currency}`, "", exact),
    ),
    panel("What more or less money would bring", chart),
    place,
    wishes(brief, constraints, Object.keys(constraints).length > 0).element,
    keeper(() => asked, constraints),
    h("div.panel", null, exports(file)),
  );
  mark(base);
  drawCurve(chart, brief, constraints, () => at, signal).then((made) => {
    curve = made;
  });
}
