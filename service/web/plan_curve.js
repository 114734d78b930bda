// The curve of conversions against money.

import { post } from "./api.js";
import { planned } from "./brief.js";
import { axis, colour, lines } from "./charts.js";
import { add, h } from "./dom.js";
import * as format from "./format.js";
import { table } from "./parts.js";
import { failure, waiting } from "./states.js";

/** Draw the curve into a place, with a mark at the budget `at()`; null where there is none. */
export async function drawCurve(place, brief, constraints, at, signal) {
  place.replaceChildren(waiting("Planning for other budgets"));
  let found;
  try {
    found = await post("v1/portfolios/curve", planned(brief, constraints), signal);
  } catch (error) {
    const again = () => drawCurve(place, brief, constraints, at, signal);
    if (error.name !== "AbortError") place.replaceChildren(failure(error, again));
    return null;
  }
  const points = found.points.filter((one) => one.expected_conversions);
  if (signal.aborted) return null;
  if (points.length < 2) {
    place.replaceChildren(
      h("p.soft", null, "This model foretells no conversions, so there is no curve."),
    );
    return null;
  }
  place.replaceChildren(
    h(
      "p.legend",
      null,
      h("span.key", { "--key": "var(--accent)" }, "conversions to expect"),
      h("span.key", { "--key": "var(--range)" }, "the likely range (80%)"),
    ),
  );
  const holder = h("div");
  add(place, [holder, inFigures(points, found.currency)]);
  const quantile = (name) => points.map((one) => one.expected_conversions[name]);
  const unseen = { stroke: "transparent", points: { show: false } };
  return lines(
    holder,
    [points.map((one) => one.budget), quantile("p90"), quantile("p50"), quantile("p10")],
    () => ({
      scales: { x: { time: false }, y: { range: (_, __, high) => [0, high * 1.08] } },
      axes: [
        axis((value) => format.money(value, found.currency)),
        axis((value) => format.figure(value), { size: 46 }),
      ],
      series: [
        {},
        unseen,
        {
          stroke: colour("accent"),
          width: 2.5,
          points: { show: true, size: 5, fill: colour("accent") },
        },
        unseen,
      ],
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

function inFigures(points, currency) {
  const columns = [
    "Budget",
    ...["Creators", "Conversions", "Likely"].map((title) => ({ title, number: true })),
  ];
  const rows = points.map(({ budget, creators, expected_conversions: { p10, p50, p90 } }) => [
    format.money(budget, currency),
    format.count(creators),
    format.amount(p50),
    `${format.amount(p10)} – ${format.amount(p90)}`,
  ]);
  return h(
    "details.signals",
    null,
    h("summary", null, "The curve in figures"),
    table(columns, rows),
  );
}
