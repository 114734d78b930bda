// All that is known of one creator.

import { at, get } from "./api.js";
import { axis, bar, colour, lines } from "./charts.js";
import { add, h, outside, put } from "./dom.js";
import * as format from "./format.js";
import { facts, panel, scrolled, table } from "./parts.js";
import { about, creatorLink, listButton, posts, risks, warnings } from "./row.js";
import { failure, waiting } from "./states.js";

const AUDIENCE = { country: format.country, language: format.language };
const SHARES_SHOWN = 6;
const ALIKE = 8;

export async function show(root, params, signal) {
  const id = params.get("id") ?? "";
  const one = await get(at("creators", id), signal);
  if (signal.aborted) return;
  document.title = `${one.handle} · creatorfit`;
  const alike = panel("Creators like this one", waiting("Looking"));
  put(
    root,
    h("div.title", null, who(one), listButton(one)),
    warnings(one),
    figures(one),
    h(
      "div.two",
      null,
      panel(
        "What it is about",
        shares(one.niches.slice(0, SHARES_SHOWN).map((niche) => [niche.label, niche.share])),
      ),
      audience(one),
    ),
    history(one, signal),
    collaborations(one),
    h("div.two", null, panel("Latest posts", posts(one.recent_posts)), alike),
    one.safety?.risks?.length > 0 && panel("Brand safety", risks(one.safety)),
    signals(one),
  );
  try {
    const found = await get(at("creators", id, `/similar?limit=${ALIKE}`), signal);
    alike.lastChild.replaceWith(
      found.items.length
        ? h(
            "ul.plainlist",
            null,
            found.items.map((other) =>
              h(
                "li",
                null,
                h("span", null, creatorLink(other), about(other)),
                h("span.soft", null, `${format.percent(other.match)} alike`),
              ),
            ),
          )
        : h("p.soft", null, "Nobody is much like this one."),
    );
  } catch (error) {
    if (error.name !== "AbortError") alike.lastChild.replaceWith(failure(error));
  }
}

function who(one) {
  const { display_name: name } = one;
  return h(
    "div",
    null,
    h("h1", null, one.handle),
    name && name !== one.handle && h("p", null, name),
    about(one),
    one.bio && h("p.bio", null, one.bio),
    one.url && h("p", null, outside(one.url, "Open the profile")),
  );
}

function figures(one) {
  const engagement = one.signals.find((signal) => signal.feature === "engagement_rate");
  const gifts = { true: "yes", false: "no" }[one.accepts_gifting] ?? "not known";
  const price =
    one.price_per_post === null ? "not known" : format.money(one.price_per_post, one.currency);
  return facts([
    ["Followers", format.count(one.follower_count)],
    ["Engagement rate", engagement?.text],
    ["A post", price],
    ["Takes products", gifts],
    ["Country", one.country && format.country(one.country)],
    ["Language", one.language && format.language(one.language)],
    ["Last post", format.date(one.last_posted_at)],
  ]);
}

function shares(rows) {
  if (!rows.length) return h("p.soft", null, "Not known.");
  return h(
    "ul.shares",
    null,
    rows.map(([name, share]) =>
      h(
        "li",
        null,
        h("span", null, name),
        bar(share),
        h("span.figure", null, format.percent(share)),
      ),
    ),
  );
}

function audience(one) {
  const parts = one.audience ?? [];
  const kinds = [...new Set(parts.map((part) => part.dimension))];
  const named = (kind) => (part) => [(AUDIENCE[kind] ?? String)(part.code), part.share];
  const of = (kind) => parts.filter((part) => part.dimension === kind).slice(0, SHARES_SHOWN);
  const lists = kinds.map((kind) => [h("h4", null, kind), shares(of(kind).map(named(kind)))]);
  return panel(
    "Its audience",
    kinds.length ? lists : h("p.soft", null, "The tables tell nothing of it."),
  );
}

function history(one, signal) {
  const months = one.history ?? [];
  const place = panel("Over time");
  if (months.length < 2) {
    add(
      place,
      h(
        "p.soft",
        null,
        "There are too few posts, or this model was trained before months were kept: train again.",
      ),
    );
    return place;
  }
  const engagement = h("div.chart");
  const sponsored = h("div.chart");
  const drawn = (title, chart, legend) => h("div", null, h("h4", null, title), legend, chart);
  const key = (text, tone) => h("span.key", { "--key": `var(--${tone})` }, text);
  add(place, [
    h(
      "div.two",
      null,
      drawn("Engagement: likes and comments for each follower", engagement),
      drawn(
        "Posts a month, and those of them that are sponsored",
        sponsored,
        h("p.legend", null, key("posts", "range"), key("sponsored", "down")),
      ),
    ),
    h(
      "details.signals",
      null,
      h("summary", null, "In figures"),
      scrolled("Month by month", monthly(months)),
    ),
  ]);
  const times = months.map((row) => Date.parse(`${row.month}-01T00:00:00Z`) / 1000);
  const dated = () =>
    axis((value) => format.monthName(new Date(value * 1000).toISOString().slice(0, 7)), {
      space: 90,
    });
  const common = { cursor: { show: false } };
  requestAnimationFrame(() => {
    lines(
      engagement,
      [times, months.map((row) => row.engagement)],
      () => ({
        ...common,
        scales: { y: { range: (_, __, high) => [0, (high || 1) * 1.1] } },
        axes: [dated(), axis((value) => format.rate(value), { size: 52 })],
        series: [
          {},
          {
            stroke: colour("accent"),
            width: 2,
            points: { show: true, size: 5, fill: colour("accent") },
            spanGaps: true,
          },
        ],
      }),
      signal,
    );
    lines(
      sponsored,
      [times, months.map((row) => row.posts), months.map((row) => row.sponsored)],
      (UPlot) => ({
        ...common,
        scales: { y: { range: (_, __, high) => [0, Math.max(high, 1) * 1.1] } },
        axes: [
          dated(),
          axis((value) => (Number.isInteger(value) ? format.count(value) : ""), { size: 36 }),
        ],
        series: [{}, column(UPlot, "range"), column(UPlot, "down")],
      }),
      signal,
    );
  });
  return place;
}

function monthly(months) {
  const columns = [
    "Month",
    ...["Posts", "Sponsored", "Engagement", "Followers"].map((title) => ({ title, number: true })),
  ];
  const line = (row) => [
    format.monthName(row.month),
    format.count(row.posts),
    `${format.count(row.sponsored)} (${format.percent(row.sponsored / row.posts)})`,
    format.rate(row.engagement),
    format.count(row.followers),
  ];
  return table(columns, months.map(line));
}

const column = (UPlot, name) => ({
  stroke: colour(name),
  fill: colour(name),
  width: 0,
  paths: UPlot.paths.bars({ size: [0.65, 26] }),
  points: { show: false },
});

function collaborations(one) {
  if (!one.collaborations.length)
    return panel("Past collaborations", h("p.soft", null, "None is known."));
  const columns = [
    "Brand",
    "Started",
    ...["Impressions", "Clicks", "Conversions"].map((title) => ({ title, number: true })),
  ];
  const line = (row) => [
    row.brand,
    format.date(row.started_at),
    format.count(row.impressions),
    format.count(row.clicks),
    format.count(row.conversions),
  ];
  const latest = [...one.collaborations].reverse();
  return panel("Past collaborations", table(columns, latest.map(line), { stack: true }));
}

function signals(one) {
  const against = ({ value, typical }) =>
    value === null || !typical ? "–" : `${format.figure(value / typical)} ×`;
  const columns = [
    "Signal",
    { title: "Value", number: true },
    { title: "Against typical", number: true },
  ];
  const rows = one.signals.map((signal) => [signal.label, signal.text, against(signal)]);
  const summary = h("summary", null, "Every signal, beside what is typical");
  return h("details.signals.panel", null, summary, scrolled("Signals", table(columns, rows)));
}
