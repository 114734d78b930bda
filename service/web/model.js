// Which model answers, and how good it is by its own report.

import { get } from "./api.js";
import { h, put } from "./dom.js";
import * as format from "./format.js";

// What the figures mean; those that are not named here are shown by their own names.
const MEANS = {
  rank_ndcg10: ["Order of the first ten (NDCG)", "1 is a perfect order", format.figure],
  rank_ndcg10_best_rule: ["The same by the best simple rule", "what the model has to beat", format.figure],
  rank_ndcg5: ["Order of the first five (NDCG)", null, format.figure],
  rank_ndcg20: ["Order of the first twenty (NDCG)", null, format.figure],
  rank_captured10: ["Conversions among the first ten", "of what the best ten would bring", format.percent],
  rank_recall: ["Found before scoring", "creators worth asking who come into the choice", format.percent],
  rate_auc: ["Rates: who converts more (AUC)", "0.5 is chance", format.figure],
  rate_auc_within_niche: ["The same inside a niche", "0.5 is chance", format.figure],
  rate_deviance_explained: ["Differences in rate explained", "of what there is to explain", format.percent],
  rate_deviance_explained_best_rule: ["The same by the best simple rule", null, format.percent],
  calibration_interval_coverage: ["Intervals that held", "80% should", format.percent],
  calibration_expected_to_observed: ["Conversions expected for each that came", "1 is right; more is too hopeful", format.figure],
  calibration_ece: ["Error of calibration", "0 is right", format.figure],
  test_campaigns: ["Campaigns it was judged on", "later than those it learned from", format.count],
  test_conversions: ["Conversions in them", null, format.count],
  test_rows: ["Collaborations in them", null, format.count],
};

export async function show(root, params, signal) {
  const model = await get("v1/model", signal);
  if (signal.aborted) return;
  const ref = model.model;
  const fact = (term, text) => h("div", null, h("dt", null, term), h("dd", null, text));
  const told = Object.keys(MEANS).filter((name) => name in model.metrics);
  const others = Object.keys(model.metrics).filter((name) => !(name in MEANS)).sort();
  put(
    root,
    h("h1", null, "The model that answers"),
    h("p", null, ref.kind === "heuristic" ? "It orders creators by rules and claims no rates: " : "It estimates rates, reach and conversions: ", model.kind_reason, "."),
    h("dl.facts.panel", null, fact("Version", `${ref.version}${ref.alias ? `, ${ref.alias}` : ""}`), fact("Loaded", format.time(model.loaded_at)), fact("Data to", format.date(model.as_of)), fact("Creators", format.count(model.creators)), fact("Posts", format.count(model.data.posts)), fact("Collaborations", format.count(model.data.sponsorships)), fact("Signals", format.count(model.features))),
    told.length > 0 &&
      h("section.panel", { "aria-labelledby": "good" }, h("h2", { id: "good" }, "How good it is"), h("p.soft", null, "On later time than it learned from."), h("table", null, h("tbody", null, told.map((name) => h("tr", null, h("th", { scope: "row" }, MEANS[name][0], MEANS[name][1] && h("span.soft", null, ` ${MEANS[name][1]}`)), h("td.n", null, h("strong", null, MEANS[name][2](model.metrics[name])))))))),
    others.length > 0 && h("details.signals.panel", null, h("summary", null, "All other figures"), h("table", null, h("tbody", null, others.map((name) => h("tr", null, h("th", { scope: "row" }, h("code", null, name)), h("td.n", null, format.figure(model.metrics[name]))))))),
    h("section.panel", { "aria-labelledby": "niches" }, h("h2", { id: "niches" }, "Niches it knows"), h("p", null, format.list(model.niches))),
    h("p.panel.soft", null, "Run ", h("code", null, ref.run_id), ", texts read by ", h("code", null, model.encoder), model.data.digest && [", data ", h("code", null, model.data.digest.slice(0, 12))]),
  );
}
