// Drawings. Every one has its figures beside it in words: drawings alone tell some readers nothing.

import { h, svg } from "./dom.js";

const WIDE = 100;

/** An estimate in its interval, on a scale from 0 to `most`. */
export function interval(value, most, label) {
  const at = (number) => (Math.max(0, Math.min(number / most, 1)) * WIDE).toFixed(2);
  const [low, high] = [at(value.low), at(value.high)];
  return svg(
    "svg.interval",
    { viewBox: `0 0 ${WIDE} 12`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("line.axis", { x1: 0, x2: WIDE, y1: 6, y2: 6 }),
    svg("rect.range", {
      x: low,
      width: Math.max(high - low, 0.6).toFixed(2),
      y: 3,
      height: 6,
      rx: 1,
    }),
    svg("rect.mark", {
      x: Math.max(0, at(value.estimate) - 0.6).toFixed(2),
      width: 1.2,
      y: 0,
      height: 12,
    }),
  );
}

/** A part of a whole. */
export function bar(share, tone = "") {
  return h(
    `span.bar${tone && `.${tone}`}`,
    { "aria-hidden": "true", "--share": `${(Math.max(0, Math.min(share, 1)) * 100).toFixed(1)}%` },
    h("i"),
  );
}

/** What a reason adds or takes away, from the middle out. */
export function lean(value, most) {
  const share = Math.min(Math.abs(value) / (most || 1), 1) * 50;
  return h(
    `span.lean.${value < 0 ? "down" : "up"}`,
    { "aria-hidden": "true", "--share": `${share.toFixed(1)}%` },
    h("i"),
  );
}

/** What came against a forecast's range. */
export function standing(low, middle, high, came, label) {
  const most = Math.max(high, came, 1e-9) * 1.1;
  const at = (number) => ((number / most) * WIDE).toFixed(2);
  return svg(
    "svg.standing",
    { viewBox: `0 0 ${WIDE} 20`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("line.axis", { x1: 0, x2: WIDE, y1: 10, y2: 10 }),
    svg("rect.range", {
      x: at(low),
      width: Math.max(at(high) - at(low), 0.6).toFixed(2),
      y: 5,
      height: 10,
    }),
    svg("rect.mark", { x: at(middle), width: 0.6, y: 5, height: 10 }),
    svg("rect.came", { x: Math.max(0, at(came) - 0.5).toFixed(2), width: 1, y: 0, height: 20 }),
  );
}

const drawn = new Set();
const darkness = matchMedia("(prefers-color-scheme: dark)");
darkness.addEventListener("change", () => drawn.forEach((redraw) => redraw()));

/** A colour of the style sheet. */
export const colour = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/**
 * A line chart that keeps to its place's width and the reader's colours, until `signal`.
 *
 * `options` is called for every drawing, so that colours are those in force.
 */
export async function lines(place, data, options, signal) {
  loadStyle();
  const { default: UPlot } = await import("./vendor/uPlot.esm.js");
  if (signal?.aborted) return null;
  let chart = null;
  const width = () => Math.max(200, Math.floor(place.clientWidth));
  const draw = () => {
    chart?.destroy();
    chart = new UPlot(
      { height: 220, legend: { show: false }, ...options(UPlot), width: width() },
      data,
      place,
    );
  };
  draw();
  const sized = new ResizeObserver(() => {
    if (chart && chart.width !== width()) chart.setSize({ width: width(), height: chart.height });
  });
  sized.observe(place);
  drawn.add(draw);
  signal?.addEventListener("abort", () => {
    drawn.delete(draw);
    sized.disconnect();
    chart?.destroy();
  });
  return {
    redraw: () => chart.redraw(),
    setData: (next) => {
      data = next;
      chart.setData(next);
    },
  };
}

function loadStyle() {
  if (document.getElementById("uplot-style")) return;
  document.head.append(
    h("link", { id: "uplot-style", rel: "stylesheet", href: "web/vendor/uPlot.min.css" }),
  );
}

/** An axis in the page's colours. */
export function axis(format, more = {}) {
  return {
    stroke: colour("soft"),
    font: "12px system-ui, sans-serif",
    grid: { stroke: colour("line"), width: 1 },
    ticks: { show: false },
    values: (_, values) => values.map(format),
    ...more,
  };
}
