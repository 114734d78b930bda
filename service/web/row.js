// One creator of a list: a line with its figures, and why it stands there once that is opened.

import { interval, lean } from "./charts.js";
import { h, outside } from "./dom.js";
import * as format from "./format.js";
import { isListed, toggle } from "./kept.js";
import { creatorAddress } from "./parts.js";

export const creatorLink = (one) => h("a", { href: creatorAddress(one.creator_id) }, one.handle);

/** What a creator costs, in words. */
export function costText(expected, currency) {
  if (expected.cost === null) return "price not known";
  const sum = format.money(expected.cost, currency);
  return expected.cost_basis === "estimate" ? `about ${sum}` : sum;
}

/** Who it is, in a line. */
export function about(one) {
  const followers =
    one.follower_count === null
      ? "followers not known"
      : `${format.compact(one.follower_count)} followers`;
  return h(
    "p.about",
    null,
    [format.platform(one.platform), followers, one.tier].filter(Boolean).join(" · "),
  );
}

/** A button that puts a creator on the shortlist or takes it off. */
export function listButton(one) {
  const button = h("button.plain", { type: "button" });
  const show = () => {
    const on = isListed(one.creator_id);
    button.setAttribute("aria-pressed", String(on));
    button.setAttribute("aria-label", `Shortlist ${one.handle}`);
    button.textContent = on ? "★ Shortlisted" : "☆ Shortlist";
  };
  button.addEventListener("click", () => {
    toggle(one);
    show();
  });
  show();
  return button;
}

/**
 * A row.
 *
 * `most` is the end of the scale that intervals are drawn on; `actions` has `exclude(item)` and
 * `compare(item, on)`.
 */
export function row(item, { currency, most, actions }) {
  const rate = item.conversion_rate;
  const rateText =
    rate &&
    `${format.rate(rate.estimate)}, likely ${format.rate(rate.low)} to ${format.rate(rate.high)}`;
  const { expected } = item;
  const compare = h("input", { type: "checkbox", "aria-label": `Compare ${item.handle}` });
  compare.addEventListener("change", () => {
    if (!actions.compare(item, compare.checked)) compare.checked = false;
  });
  const why = h(
    "details.why",
    null,
    h("summary", null, "Why ", h("span.hidden", null, item.handle)),
  );
  // Made when it is first opened: of 500 rows, few are.
  const fill = () => {
    if (why.childElementCount === 1) why.append(reasons(item));
  };
  why.addEventListener("toggle", () => why.open && fill());
  why.unfold = () => {
    fill();
    why.open = true;
  };
  return h(
    "li.creator",
    { "data-id": item.creator_id },
    h("span.rank", { "aria-hidden": "true" }, format.count(item.rank)),
    h(
      "div.who",
      null,
      h(
        "h3",
        null,
        creatorLink(item),
        item.explored &&
          h("span.tag", { title: "Stands here by chance, to be learned of" }, "newcomer"),
      ),
      about(item),
      item.niche &&
        h(
          "p.niche",
          null,
          item.niche.label,
          h("span.soft", null, ` ${format.percent(item.niche.share)}`),
        ),
    ),
    h(
      "div.rate",
      null,
      h("span.label", null, "Conversion rate"),
      rate
        ? [
            h("strong", null, format.rate(rate.estimate)),
            interval(rate, most, rateText),
            h("span.soft", null, `${format.rate(rate.low)} – ${format.rate(rate.high)}`),
          ]
        : h(
            "span.soft",
            null,
            item.match === null ? "not estimated" : `${format.percent(item.match)} alike`,
          ),
    ),
    h(
      "div.number",
      null,
      h("span.label", null, "Conversions"),
      h("strong", null, format.amount(expected.conversions)),
    ),
    h(
      "div.number",
      null,
      h("span.label", null, "A post"),
      h("strong", null, costText(expected, currency)),
      expected.cost_basis === "gift" && h("span.soft", null, "takes the product"),
    ),
    h(
      "div.number",
      null,
      h("span.label", null, "Confidence"),
      h(`span.confidence.${item.confidence}`, null, item.confidence),
    ),
    h(
      "div.tools",
      null,
      listButton(item),
      actions.exclude &&
        h(
          "button.plain",
          {
            type: "button",
            "aria-label": `Exclude ${item.handle}`,
            onclick: () => actions.exclude(item),
          },
          "Exclude",
        ),
      h("label.plain", null, compare, "Compare"),
    ),
    warnings(item),
    why,
  );
}

/** What to be careful about. */
export function warnings(one) {
  const { posts = 0, risks = [] } = one.safety ?? {};
  const read = format.plural(posts, "post", "posts");
  const risky = risks.map((risk) => `${format.percent(risk.share)} of ${read} on ${risk.topic}`);
  const said = one.warnings?.length ? one.warnings : risky;
  if (!said.length) return null;
  return h(
    "ul.warnings",
    { "aria-label": "Warnings" },
    said.map((text) => h("li", null, text)),
  );
}

/** Why a creator stands where it does: its reasons, and its own posts. */
function reasons(item) {
  const shown = item.reasons.filter((one) => one.feature !== "baseline");
  const most = Math.max(...shown.map((one) => Math.abs(one.contribution)), 0);
  return h(
    "div.because",
    null,
    h(
      "div",
      null,
      h("h4", null, "What the model saw"),
      shown.length
        ? h(
            "ul.reasons",
            null,
            shown.map((one) =>
              h("li", null, lean(one.contribution, most), h("span", null, one.text)),
            ),
          )
        : h("p.soft", null, "No reasons were asked for."),
    ),
    h("div", null, h("h4", null, "Posts that speak for it"), posts(item.evidence)),
    risks(item.safety),
  );
}

/** Posts behind a risk. */
export function risks(safety) {
  if (!safety?.risks?.length) return null;
  return h(
    "div",
    null,
    h("h4", null, "Posts to look at first"),
    safety.risks.map((risk) => [
      h(
        "p",
        null,
        h("strong", null, risk.topic),
        ` ${format.percent(risk.share)}, ${format.plural(risk.posts, "post", "posts")}`,
      ),
      posts(risk.evidence ?? []),
    ]),
  );
}

/** A creator's own words. */
export function posts(list) {
  if (!list.length) return h("p.soft", null, "None comes near it.");
  return h(
    "ul.posts",
    null,
    list.map((post) =>
      h(
        "li",
        null,
        h("blockquote", null, post.text || "(no text)"),
        h(
          "p.soft",
          null,
          post.similarity !== null &&
            post.similarity !== undefined &&
            `${format.percent(post.similarity)} like the brief `,
          post.words && `${post.words} `,
          post.url && outside(post.url, "Open the post"),
        ),
      ),
    ),
  );
}
