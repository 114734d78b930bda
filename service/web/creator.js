// All that is known of one creator.

import { at, get } from "./api.js";
import { axis, bar, colour, lines } from "./charts.js";
import { add, h, outside, put } from "./dom.js";
import * as format from "./format.js";
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
  const alike = h("section.panel", { "aria-labelledby": "alike" }, h("h2", { id: "alike" }, "Creators like this one"), waiting("Looking"));
  put(
    root,
    h("div.title", null, h("div", null, h("h1", null, one.handle), one.display_name && one.display_name !== one.handle && h("p", null, one.display_name), about(one), one.bio && h("p.bio", null, one.bio), one.url && h("p", null, outside(one.url, "Open the profile"))), listButton(one)),
    warnings(one),
    facts(one),
    h("div.two", null, section("What it is about", shares(one.niches.slice(0, SHARES_SHOWN).map((niche) => [niche.label, niche.share]))), audience(one)),
    history(one, signal),
    collaborations(one),
    h("div.two", null, section("Latest posts", posts(one.recent_posts)), alike),
    one.safety?.risks?.length > 0 && section("Brand safety", risks(one.safety)),
    signals(one),
  );
  try {
    const found = await get(at("creators", id, `/similar?limit=${ALIKE}`), signal);
    alike.lastChild.replaceWith(
      found.items.length
        ? h("ul.plainlist", null, found.items.map((other) => h("li", null, h("span", null, creatorLink(other), about(other)), h("span.soft", null, `${format.percent(other.match)} alike`))))
        : h("p.soft", null, "Nobody is much like this one."),
    );
  } catch (error) {
    if (error.name !== "AbortError") alike.lastChild.replaceWith(failure(error));
  }
}

const section = (title, ...children) => h("section.panel", null, h("h2", null, title), ...children);

function facts(one) {
  const said = (name) => one.signals.find((signal) => signal.feature === name)?.text ?? "–";
  const fact = (term, text) => h("div", null, h("dt", null, term), h("dd", null, text ?? "–"));
  return h(
    "dl.facts",
    null,
    fact("Followers", format.count(one.follower_count)),
    fact("Engagement rate", said("engagement_rate")),
    fact("A post", one.price_per_post === null ? "not known" : format.money(one.price_per_post, one.currency)),
    fact("Takes products", one.accepts_gifting === null ? "not known" : one.accepts_gifting ? "yes" : "no"),
    fact("Country", one.country && format.country(one.country)),
    fact("Language", one.language && format.language(one.language)),
    fact("Last post", format.date(one.last_posted_at)),
  );
}

function shares(rows) {
  if (!rows.length) return h("p.soft", null, "Not known.");
  return h("ul.shares", null, rows.map(([name, share]) => h("li", null, h("span", null, name), bar(share), h("span.figure", null, format.percent(share)))));
}

function audience(one) {
  const kinds = [...new Set((one.audience ?? []).map((part) => part.dimension))];
  return section(
    "Its audience",
    kinds.length ? kinds.map((kind) => [h("h4", null, kind), shares(one.audience.filter((part) => part.dimension === kind).slice(0, SHARES_SHOWN).map((part) => [(AUDIENCE[kind] ?? String)(part.code), part.share]))]) : h("p.soft", null, "The tables tell nothing of it."),
  );
}

function history(one, signal) {
  const months = one.history ?? [];
  const place = section("Over time");
  if (months.length < 2) {
    add(place, h("p.soft", null, "This model was trained before months were kept, or there are too few posts: train again to see them."));
    return place;
  }
  const engagement = h("div.chart");
  const sponsored = h("div.chart");
  add(place, [
    h("div.two", null, h("div", null, h("h4", null, "Engagement: likes and comments for each follower"), engagement), h("div", null, h("h4", null, "Posts a month, and those of them that are sponsored"), h("p.legend", null, h("span.key", { "--key": "var(--range)" }, "posts"), h("span.key", { "--key": "var(--down)" }, "sponsored")), sponsored)),
    h("details.signals", null, h("summary", null, "In figures"), h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Month by month" }, h("table", null, h("thead", null, h("tr", null, ["Month", "Posts", "Sponsored", "Engagement", "Followers"].map((text, column) => h(column ? "th.n" : "th", { scope: "col" }, text)))), h("tbody", null, months.map((row) => h("tr", null, h("th", { scope: "row" }, format.monthName(row.month)), h("td.n", null, format.count(row.posts)), h("td.n", null, `${format.count(row.sponsored)} (${format.percent(row.sponsored / row.posts)})`), h("td.n", null, format.rate(row.engagement)), h("td.n", null, format.count(row.followers)))))))),
  ]);
  const times = months.map((row) => Date.parse(`${row.month}-01T00:00:00Z`) / 1000);
  const dated = () => axis((value) => format.monthName(new Date(value * 1000).toISOString().slice(0, 7)), { space: 90 });
  const common = { cursor: { show: false } };
  requestAnimationFrame(() => {
    lines(engagement, [times, months.map((row) => row.engagement)], () => ({
      ...common,
      scales: { y: { range: (_, __, high) => [0, (high || 1) * 1.1] } },
      axes: [dated(), axis((value) => format.rate(value), { size: 52 })],
      series: [{}, { stroke: colour("accent"), width: 2, points: { show: true, size: 5, fill: colour("accent") }, spanGaps: true }],
    }), signal);
    lines(sponsored, [times, months.map((row) => row.posts), months.map((row) => row.sponsored)], (UPlot) => ({
      ...common,
      scales: { y: { range: (_, __, high) => [0, Math.max(high, 1) * 1.1] } },
      axes: [dated(), axis((value) => (Number.isInteger(value) ? format.count(value) : ""), { size: 36 })],
      series: [{}, column(UPlot, "range"), column(UPlot, "down")],
    }), signal);
  });
  return place;
}

const column = (UPlot, name) => ({ stroke: colour(name), fill: colour(name), width: 0, paths: UPlot.paths.bars({ size: [0.65, 26] }), points: { show: false } });

function collaborations(one) {
  const place = section("Past collaborations");
  if (!one.collaborations.length) {
    add(place, h("p.soft", null, "None is known."));
    return place;
  }
  const rows = [...one.collaborations].reverse();
  add(place, h("table.stack", null, h("thead", null, h("tr", null, ["Brand", "Started", "Impressions", "Clicks", "Conversions"].map((text, column_) => h(column_ > 1 ? "th.n" : "th", { scope: "col" }, text)))), h("tbody", null, rows.map((row) => h("tr", null, h("th", { scope: "row" }, row.brand), h("td", { "data-label": "Started" }, format.date(row.started_at)), h("td.n", { "data-label": "Impressions" }, format.count(row.impressions)), h("td.n", { "data-label": "Clicks" }, format.count(row.clicks)), h("td.n", { "data-label": "Conversions" }, format.count(row.conversions)))))));
  return place;
}

function signals(one) {
  return h("details.signals.panel", null, h("summary", null, "Every signal, beside what is typical"), h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Signals" }, h("table", null, h("thead", null, h("tr", null, h("th", { scope: "col" }, "Signal"), h("th.n", { scope: "col" }, "Value"), h("th.n", { scope: "col" }, "Against typical"))), h("tbody", null, one.signals.map((signal) => h("tr", null, h("th", { scope: "row" }, signal.label), h("td.n", null, signal.text), h("td.n", null, signal.value === null || signal.typical === null || signal.typical === 0 ? "–" : `${format.figure(signal.value / signal.typical)} ×`)))))));
}
