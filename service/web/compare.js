// Up to four creators side by side.

import { add, announce, h } from "./dom.js";
import * as format from "./format.js";
import { scrolled } from "./parts.js";
import { costText, creatorLink } from "./row.js";

const AT_MOST = 4;

/** The tray at the foot of the list; `toggle(item, on)` says whether it was taken. */
export function tray(signal, currency) {
  const chosen = new Map();
  const names = h("span");
  const open = h("button.primary", { type: "button" }, "Compare");
  const element = h(
    "div.tray",
    { hidden: true, role: "group", "aria-label": "Chosen to compare" },
    names,
    open,
  );
  const dialog = h("dialog.compare", { "aria-labelledby": "compare" });
  open.addEventListener("click", () => {
    dialog.replaceChildren(
      h(
        "div.dialog-head",
        null,
        h("h2", { id: "compare" }, "Side by side"),
        h("button", { type: "button", onclick: () => dialog.close() }, "Close"),
      ),
      table([...chosen.values()], currency),
    );
    dialog.showModal();
  });
  signal.addEventListener("abort", () => dialog.close());
  return {
    element: h("div", null, element, dialog),
    toggle: (item, on) => {
      if (on && chosen.size === AT_MOST) {
        announce(`${AT_MOST} are compared at most`);
        names.textContent = `${AT_MOST} at most: take one out first. `;
        return false;
      }
      if (on) chosen.set(item.creator_id, item);
      else chosen.delete(item.creator_id);
      element.hidden = chosen.size === 0;
      open.disabled = chosen.size < 2;
      names.textContent = [...chosen.values()].map((one) => one.handle).join(", ");
      return true;
    },
  };
}

function table(items, currency) {
  const range = (value, show) =>
    value ? `${show(value.estimate)} (${show(value.low)} – ${show(value.high)})` : "–";
  const lines = [
    ["Platform", (one) => format.platform(one.platform)],
    ["Followers", (one) => format.count(one.follower_count)],
    ["Tier", (one) => one.tier ?? "–"],
    ["Niche", ({ niche }) => (niche ? `${niche.label} ${format.percent(niche.share)}` : "–")],
    ["Match", (one) => format.percent(one.match)],
    ["Conversion rate", (one) => range(one.conversion_rate, format.rate)],
    ["Impressions", (one) => range(one.expected.impressions, format.compact)],
    ["Conversions", (one) => format.amount(one.expected.conversions)],
    ["A post", (one) => costText(one.expected, currency)],
    ["A conversion", (one) => format.money(one.expected.cost_per_conversion, currency)],
    ["Confidence", (one) => one.confidence],
    [
      "Warnings",
      (one) =>
        [...(one.warnings ?? []), ...(one.safety?.risks ?? []).map((risk) => risk.topic)].join(
          "; ",
        ) || "–",
    ],
    ["First reason", (one) => one.reasons.find((reason) => reason.contribution > 0)?.text ?? "–"],
    ["Nearest post", (one) => one.evidence[0]?.text ?? "–"],
  ];
  const body = h("tbody");
  for (const [name, show] of lines)
    add(
      body,
      h(
        "tr",
        null,
        h("th", { scope: "row" }, name),
        items.map((one) => h("td", null, show(one))),
      ),
    );
  const names = h(
    "tr",
    null,
    h("td"),
    items.map((one) => h("th", { scope: "col" }, creatorLink(one))),
  );
  return scrolled("Comparison", h("table", null, h("thead", null, names), body));
}
