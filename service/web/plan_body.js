// Who a plan books, for how much, and what that may bring.

import { bar, standing } from "./charts.js";
import { h } from "./dom.js";
import * as format from "./format.js";
import { panel, table } from "./parts.js";
import { planAddress } from "./plan_wishes.js";
import { creatorLink } from "./row.js";

const COLUMNS = [
  "Creator",
  { title: "A post", number: true },
  "Of the money",
  { title: "By itself", number: true, tip: "Conversions that its post brings by itself" },
  {
    title: "Adds",
    number: true,
    tip: "What is left where others of the plan reach the same people",
  },
  { title: "Change", number: true, hidden: true, wide: true },
];

/** A plan in words and figures. */
export function body(brief, constraints, answer) {
  const plan = answer.portfolio;
  const { currency } = plan;
  const money = (value) => format.money(value, currency);
  const brings = plan.expected_conversions;
  const dearest = Math.max(...plan.picked.map((one) => one.cost), 1);
  // Whoever is left out need not be held either.
  const never = ({ creator_id: id }) =>
    planAddress(brief, {
      ...constraints,
      never: [...new Set([...(constraints.never ?? []), id])],
      must_have: constraints.must_have?.filter((one) => one !== id),
    });
  const line = (one) => [
    [creatorLink(one), h("span.soft", null, ` ${format.platform(one.platform)}`)],
    [one.price_is_estimate && "about ", money(one.cost), one.cost_basis === "gift" && " (product)"],
    bar(one.cost / dearest),
    format.amount(one.expected_conversions),
    format.amount(one.adds_conversions),
    h("a", { href: never(one), "aria-label": `Leave out ${one.handle}` }, "Leave out"),
  ];
  return [
    h(
      "section.panel",
      { "aria-labelledby": "forecast" },
      h("h2.hidden", { id: "forecast" }, "Forecast"),
      brings
        ? h(
            "div.forecast",
            null,
            h(
              "p.big",
              null,
              format.amount(brings.p50),
              h("small", null, ` conversions, ${format.likely(brings)}`),
            ),
          )
        : h("p", null, "This model orders creators and foretells no conversions."),
      h(
        "p",
        null,
        h("strong", null, money(plan.spend)),
        ` of ${money(plan.budget)} books `,
        h("strong", null, format.creators(plan.picked.length)),
        brings && brings.p50 > 0 && `: about ${money(plan.spend / brings.p50)} a conversion`,
        ".",
      ),
    ),
    h("div.cards.panel", null, overlap(plan), large(plan, money), best(plan)),
    panel(
      "Who to book",
      plan.picked.length
        ? table(COLUMNS, plan.picked.map(line), { stack: true })
        : h(
            "p.soft",
            null,
            "Nobody can be booked for that. A larger budget or wider filters would help.",
          ),
    ),
  ];
}

function overlap(plan) {
  if (!plan.overlap || !plan.picked.length) return null;
  const { share, known_audiences: known, estimated_audiences: guessed, note } = plan.overlap;
  const told = `${format.plural(known, "audience is", "audiences are")} known`;
  return h(
    "section",
    null,
    h("h3", null, `${format.percent(share)} overlap`),
    h(
      "p.soft",
      null,
      "Of what they bring by themselves, others of the plan bring it too. ",
      `${told}, ${format.count(guessed)} estimated; ${note}.`,
    ),
  );
}

function large(plan, money) {
  const one = plan.large_account;
  if (!one) return null;
  const brings = one.expected_conversions;
  const plans = plan.expected_conversions;
  return h(
    "section",
    null,
    h("h3", null, "Or one large account"),
    h("p.soft", null, one.text, "."),
    brings && one.handle && h("p.soft", null, creatorLink(one), ` for ${money(one.cost)}`),
    brings &&
      plans &&
      standing(
        brings.p10,
        brings.p50,
        brings.p90,
        plans.p50,
        `The large account, ${format.likely(brings)}; the plan about ${format.amount(plans.p50)}`,
      ),
  );
}

function best(plan) {
  if (plan.of_best === null) return null;
  return h(
    "section",
    null,
    h(
      "h3",
      null,
      plan.of_best >= 0.9995
        ? "The best plan there is"
        : `Within ${format.rate(1 - plan.of_best)} of the best plan`,
    ),
    h("p.soft", null, "By these estimates no other choice for the money brings more than that."),
  );
}
