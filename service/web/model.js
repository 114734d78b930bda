// Which model answers, and how good it is by its own report.

import { get } from "./api.js";
import { h, put } from "./dom.js";
import * as format from "./format.js";
import { facts, panel, table } from "./parts.js";

// What the figures mean; those that are not named here are shown by their own names.
const MEANS = {
  rank_ndcg10: ["Order of the first ten (NDCG)", "1 is a perfect order", format.figure],
  rank_ndcg10_best_rule: [
    "The same by the best simple rule",
    "what the model has to beat",
    format.figure,
  ],
  rank_ndcg5: ["Order of the first five (NDCG)", null, format.figure],
  rank_ndcg20: ["Order of the first twenty (NDCG)", null, format.figure],
  rank_captured10: [
    "Conversions among the first ten",
    "of what the best ten would bring",
    format.percent,
  ],
  rank_recall: [
    "Found before scoring",
    "creators worth asking who come into the choice",
    format.percent,
  ],
  rate_auc: ["Rates: who converts more (AUC)", "0.5 is chance", format.figure],
  rate_auc_within_niche: ["The same inside a niche", "0.5 is chance", format.figure],
  rate_deviance_explained: [
    "Differences in rate explained",
    "of what there is to explain",
    format.percent,
  ],
  rate_deviance_explained_best_rule: ["The same by the best simple rule", null, format.percent],
  calibration_interval_coverage: ["Intervals that held", "80% should", format.percent],
  calibration_expected_to_observed: [
    "Conversions expected for each that came",
    "1 is right; more is too hopeful",
    format.figure,
  ],
  calibration_ece: ["Error of calibration", "0 is right", format.figure],
  test_campaigns: ["Campaigns it was judged on", "later than those it learned from", format.count],
  test_conversions: ["Conversions in them", null, format.count],
  test_rows: ["Collaborations in them", null, format.count],
};

const FIGURES = [{}, { number: true }];

export async function show(root, params, signal) {
  const model = await get("v1/model", signal);
  if (signal.aborted) return;
  const ref = model.model;
  const told = Object.keys(MEANS).filter((name) => name in model.metrics);
  const others = Object.keys(model.metrics)
    .filter((name) => !(name in MEANS))
    .sort();
  const claim =
    ref.kind === "heuristic"
      ? "It orders creators by rules and claims no rates"
      : "It estimates rates, reach and conversions";
  const good = told.map((name) => {
    const [means, hint, shown] = MEANS[name];
    return [
      [means, hint && h("span.soft", null, ` ${hint}`)],
      h("strong", null, shown(model.metrics[name])),
    ];
  });
  const plain = others.map((name) => [h("code", null, name), format.figure(model.metrics[name])]);
  const { digest, posts, sponsorships } = model.data;
  put(
    root,
    h("h1", null, "The model that answers"),
    h("p", null, `${claim}: ${model.kind_reason}.`),
    model.refused &&
      h(
        "p.note",
        null,
        `Version ${model.refused.version} should answer now, and cannot: ${model.refused.reason}. `,
        `This one goes on since ${format.time(model.refused.at)}.`,
      ),
    facts([
      ["Version", [ref.version, ref.alias].filter(Boolean).join(", ")],
      ["Loaded", format.time(model.loaded_at)],
      ["Data to", format.date(model.as_of)],
      ["Creators", format.count(model.creators)],
      ["Posts", format.count(posts)],
      ["Collaborations", format.count(sponsorships)],
      ["Signals", format.count(model.features)],
    ]),
    told.length > 0 &&
      panel(
        "How good it is",
        h("p.soft", null, "On later time than it learned from."),
        table(FIGURES, good),
      ),
    others.length > 0 &&
      h(
        "details.signals.panel",
        null,
        h("summary", null, "All other figures"),
        table(FIGURES, plain),
      ),
    panel("Niches it knows", h("p", null, format.list(model.niches))),
    h(
      "p.panel.soft",
      null,
      "Run ",
      h("code", null, ref.run_id),
      ", texts read by ",
      h("code", null, model.encoder),
      digest && [", data ", h("code", null, digest.slice(0, 12))],
    ),
  );
}
