// Why there are as many creators to choose from as there are, and what would bring more.

import { bar } from "./charts.js";
import { h } from "./dom.js";
import * as format from "./format.js";
import { merged } from "./brief.js";

const NAMES = {
  platforms: "platform",
  follower_count: "followers",
  engagement_rate: "engagement",
  price_per_post: "price",
  countries: "country",
  languages: "language",
  niches: "niche",
  last_posted_in_days: "not posted lately",
  accepts_gifting: "products for posts",
  exclude_creators: "excluded by you",
  exclude_sponsored_by: "sponsored by a rival",
  audience: "audience",
  lookalikes: "the models themselves",
  brand_safety: "brand safety",
};

/** The pool; `again(brief)` asks with another brief. */
export function pool(found, brief, again) {
  const removed = Object.entries(found.removed_by);
  return h(
    "section.pool",
    { "aria-labelledby": "pool" },
    h(
      "h2",
      { id: "pool" },
      `${format.count(found.eligible)} of ${format.count(found.creators)} creators can be asked`,
    ),
    removed.length > 0 &&
      h(
        "ul.removed",
        null,
        removed.map(([name, number]) =>
          h(
            "li",
            null,
            h("span", null, NAMES[name] ?? name),
            bar(number / found.creators, "quiet"),
            h("span.figure", null, `−${format.count(number)}`),
          ),
        ),
      ),
    found.nearest && h("p", null, found.nearest.text),
    found.nearest &&
      h(
        "button",
        { type: "button", onclick: () => again(dropped(brief, found.nearest.filters)) },
        `Drop ${format.list(found.nearest.filters.map((one) => NAMES[one] ?? one))}`,
      ),
    found.relaxations?.length > 0 && [
      h("h3", null, "Widen it"),
      h(
        "ul.relax",
        null,
        found.relaxations.map((one) =>
          h(
            "li",
            null,
            h(
              "button",
              { type: "button", onclick: () => again(merged(brief, one.change)) },
              one.text,
            ),
          ),
        ),
      ),
    ],
    !removed.length && h("p.soft", null, "No filter takes anyone out."),
  );
}

/** A brief without some filters. */
function dropped(brief, names) {
  const top = new Set(["audience", "lookalikes"]);
  const patch = { filters: {} };
  for (const name of names) (top.has(name) ? patch : patch.filters)[name] = null;
  return merged(brief, patch);
}
