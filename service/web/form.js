// The brief: free text first, all else folded away.

import { Problem, getChoices, recommend } from "./api.js";
import { EXAMPLES, address, asked, read, tidy } from "./brief.js";
import { announce, h, put } from "./dom.js";
import {
  boxes,
  clearErrors,
  field,
  group,
  number,
  range,
  select,
  showErrors,
  tokens,
} from "./fields.js";
import * as format from "./format.js";

const RISKS = ["adult", "violence", "hate", "gambling", "drugs", "politics", "profanity"];
const SHOWN = [50, 200, 500];

/** Show the form, with the brief of the address in it. */
export async function showForm(root, params) {
  show(root, read(params) ?? {}, null);
}

/** Show the form with a brief, and what is wrong with it. */
export function show(root, brief, problem) {
  const parts = partsOf(brief);
  const general = h("div", { role: "alert" });
  const submit = h("button.primary", { type: "submit" }, "Find creators");
  const more = h(
    "details.more",
    { open: hasMore(brief) },
    h(
      "summary",
      null,
      "Narrow it down",
      h("span.hint", null, " platforms, size, price, places, safety …"),
    ),
    h("div.grid", null, parts.folded),
  );
  const form = h(
    "form.brief",
    { novalidate: true },
    general,
    h(
      "div.lead",
      null,
      parts.query,
      h("div.row", null, parts.brand, parts.budget, parts.objective),
    ),
    more,
    h("div.actions", null, submit, h("span.hint", null, "Only the text and the brand are needed.")),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearErrors(form);
    general.replaceChildren();
    const bad = [...form.querySelectorAll("input")].find((input) => input.validity.badInput);
    if (bad) {
      showErrors(form, [
        { pointer: bad.closest("[data-pointer]").dataset.pointer, detail: "a number, in digits" },
      ]);
      return;
    }
    const next = parts.read(brief);
    submit.disabled = true;
    submit.textContent = "Looking …";
    announce("Looking for creators");
    try {
      await recommend(asked(next));
      // Back from the results, the form holds what was asked.
      history.replaceState(null, "", address("", next));
      location.hash = address("results", next);
    } catch (error) {
      refuse(form, general, error);
    } finally {
      submit.disabled = false;
      submit.textContent = "Find creators";
    }
  });
  put(
    root,
    h(
      "div.hero",
      null,
      h("h1", null, "Describe the campaign"),
      h(
        "p",
        null,
        "Say what you launch and for whom, as you would to a colleague. ",
        "You get creators who fit, what each is likely to bring, and why.",
      ),
    ),
    form,
    h(
      "section.examples",
      { "aria-labelledby": "examples" },
      h("h2", { id: "examples" }, "Or start from an example"),
      h(
        "ul",
        null,
        EXAMPLES.map((example) =>
          h(
            "li",
            null,
            h(
              "a",
              { href: address("", example.brief) },
              h("strong", null, example.title),
              h("span", null, example.brief.query),
            ),
          ),
        ),
      ),
    ),
  );
  suggest(parts);
  // What comes next is fetched while the brief is written.
  import("./results.js");
  if (problem) refuse(form, general, problem);
}

function refuse(form, general, error) {
  const others = error instanceof Problem ? showErrors(form, error.errors) : [];
  if (!(error instanceof Problem)) console.error(error);
  const said = others.length || !error.errors?.length;
  if (said) {
    const text = others.length
      ? others.map((one) => `${one.pointer} ${one.detail}`).join("; ")
      : error.message;
    general.replaceChildren(h("p.wrong", null, text));
  }
  announce("The brief needs a change");
}

function hasMore(brief) {
  const { brand, query, budget, objective, limit, ...others } = brief;
  return Object.keys(tidy(others)).length > 0;
}

function partsOf(brief) {
  const filters = brief.filters ?? {};
  const safety = filters.brand_safety ?? {};
  const query = h("textarea", {
    rows: 4,
    required: true,
    maxlength: 4000,
    value: brief.query ?? "",
    placeholder:
      "Launch of a fragrance-free vegan serum for sensitive skin; honest routines, no filters.",
  });
  const brand = h("input", {
    type: "text",
    required: true,
    autocomplete: "organization",
    value: brief.brand?.name ?? "",
  });
  const budget = number(brief.budget?.amount, { placeholder: "no plan without" });
  const currency = h("span.unit", null, brief.budget?.currency ?? "USD");
  const objective = select(
    [
      ["conversion_rate", "Best rate of conversion"],
      ["conversions", "Most conversions"],
      ["value", "Most for the money"],
    ],
    brief.objective,
  );
  const platforms = boxes(
    "Platforms",
    "/filters/platforms",
    format.platforms.map((one) => [one, format.platform(one)]),
    filters.platforms,
  );
  const followers = range("Followers", "/filters/follower_count", filters.follower_count);
  const price = range("Price of a post", "/filters/price_per_post", filters.price_per_post);
  const engagement = range(
    "Engagement rate, %",
    "/filters/engagement_rate",
    filters.engagement_rate,
    { scale: 100 },
  );
  const niches = tokens("Niches", "/filters/niches", filters.niches, {
    placeholder: "Type to search",
  });
  const countries = tokens("Countries", "/filters/countries", filters.countries, {
    placeholder: "Spain, DE …",
  });
  const languages = tokens("Languages", "/filters/languages", filters.languages, {
    placeholder: "English, pt-BR …",
  });
  const recent = number(filters.last_posted_in_days, { min: 1, step: 1 });
  const gifting = select(
    [
      ["", "Either way"],
      ["yes", "Takes products"],
      ["no", "Money only"],
    ],
    { true: "yes", false: "no" }[filters.accepts_gifting],
  );
  const excluded = tokens(
    "Leave out creators",
    "/filters/exclude_creators",
    filters.exclude_creators,
    { placeholder: "creator id", hint: "Or use “Exclude” in the results." },
  );
  const rivals = tokens(
    "Leave out those sponsored by",
    "/filters/exclude_sponsored_by",
    filters.exclude_sponsored_by,
    { placeholder: "brand" },
  );
  const alike = tokens("Like these creators", "/lookalikes", brief.lookalikes, {
    placeholder: "creator id",
  });
  const audience = tokens("Their audience", "/audience", (brief.audience ?? []).map(needText), {
    placeholder: "country US 30%",
    hint: "Country, language, age, gender or interest, and the least share.",
  });
  const risks = boxes(
    "Leave out creators who post about",
    "/filters/brand_safety/exclude",
    RISKS.map((one) => [one, one]),
    safety.exclude,
  );
  const share = number(safety.max_share, { scale: 100, max: 100, placeholder: "0" });
  const words = tokens("Words they must not use", "/filters/brand_safety/terms", safety.terms, {
    placeholder: "word",
  });
  const product = number(brief.product_cost);
  const explore = number(brief.explore_share, { scale: 100, max: 50, placeholder: "0" });
  const sizes = [...new Set([...SHOWN, brief.limit ?? 50])].sort((a, b) => a - b);
  const limit = select(
    sizes.map((size) => [String(size), format.count(size)]),
    String(brief.limit ?? 50),
  );
  const yesNo = { yes: true, no: false };
  return {
    niches,
    countries,
    languages,
    currency,
    query: field("What is it about?", "/query", query),
    brand: field("Brand", "/brand", brand),
    budget: field("Budget, if there is one", "/budget", h("div.with-unit", null, budget, currency)),
    objective: field("Look for", "/objective", objective),
    folded: [
      platforms,
      followers,
      price,
      engagement,
      niches,
      countries,
      languages,
      audience,
      field("Posted in the last days", "/filters/last_posted_in_days", recent),
      field("Products instead of money", "/filters/accepts_gifting", gifting),
      group(
        "Brand safety",
        "/filters/brand_safety",
        risks,
        h(
          "div.row",
          null,
          field("Share of posts allowed, %", "/filters/brand_safety/max_share", share),
          words,
        ),
      ),
      excluded,
      rivals,
      alike,
      field("What one product costs you", "/product_cost", product, {
        hint: "For those who take it instead of money.",
      }),
      field("Places for newcomers, %", "/explore_share", explore, {
        hint: "Promising creators of whom little is known, marked.",
      }),
      field("Creators to show", "/limit", limit),
    ],
    read: (before) =>
      tidy({
        brand: {
          name: brand.value.trim(),
          domain: before.brand?.domain,
          vertical: before.brand?.vertical,
        },
        query: query.value.trim(),
        objective: objective.value === "conversion_rate" ? undefined : objective.value,
        filters: {
          platforms: platforms.read(),
          follower_count: followers.read(),
          price_per_post: price.read(),
          engagement_rate: engagement.read(),
          niches: niches.read(),
          countries: countries.read(),
          languages: languages.read(),
          last_posted_in_days: recent.read(),
          accepts_gifting: yesNo[gifting.value],
          exclude_creators: excluded.read(),
          exclude_sponsored_by: rivals.read(),
          brand_safety: { exclude: risks.read(), max_share: share.read(), terms: words.read() },
        },
        lookalikes: alike.read(),
        audience: audience.read().map(needOf),
        budget:
          budget.read() === undefined
            ? undefined
            : { amount: budget.read(), currency: currency.textContent },
        product_cost: product.read(),
        explore_share: explore.read(),
        limit: limit.value === "50" ? undefined : Number(limit.value),
      }),
  };
}

/** A wish about the audience in words, and back; what cannot be read is left to the service. */
const needText = (need) => `${need.dimension} ${need.code} ${format.share(need.min_share)}%`;
function needOf(text) {
  const [, dimension, code, share] = /^(\S+?)[\s:]+(.+?)\s+([\d.]+)\s*%?$/.exec(text) ?? [
    null,
    text,
    "",
    "0",
  ];
  return {
    dimension: dimension.toLowerCase(),
    code,
    min_share: +(Number(share) / 100).toPrecision(12),
  };
}

async function suggest(parts) {
  const choices = await getChoices();
  parts.currency.textContent = choices.currency;
  parts.niches.suggest(choices.niches.map(({ value }) => [value, value]));
  parts.countries.suggest(choices.countries.map(({ value }) => [value, format.country(value)]));
  parts.languages.suggest(choices.languages.map(({ value }) => [value, format.language(value)]));
}
