// What a plan has to keep, and keeping the plan itself as a campaign's.

import { post } from "./api.js";
import { address, planned, read, tidy } from "./brief.js";
import { h } from "./dom.js";
import { clearErrors, field, number, showErrors, tokens } from "./fields.js";
import { shortlist } from "./kept.js";
import { campaignAddress, panel } from "./parts.js";

/** The address of a plan. */
export const planAddress = (brief, constraints) =>
  address("plan", brief, Object.keys(constraints).length ? { constraints } : {});

/** The form of constraints; `open` says whether it is unfolded. */
export function wishes(brief, constraints, open) {
  const least = number(constraints.min_creators, { step: 1 });
  const most = number(constraints.max_creators, { step: 1, min: 1 });
  const share = (value) =>
    number(typeof value === "number" ? value : undefined, { scale: 100, max: 100 });
  // Shares of platforms or niches by name come with an address; there is no field for them.
  const byName = (value) => (typeof value === "object" ? value : undefined);
  const platform = share(constraints.max_share?.platform);
  const niche = share(constraints.max_share?.niche);
  const listed = shortlist().map((one) => [one.creator_id, one.handle]);
  const must = tokens("Has to hold", "/constraints/must_have", constraints.must_have, {
    suggest: listed,
    hint: "Creator ids, or from your shortlist.",
  });
  const never = tokens("Never", "/constraints/never", constraints.never, { suggest: listed });
  const form = h(
    "form",
    { novalidate: true },
    h(
      "div.row",
      null,
      field("At least so many creators", "/constraints/min_creators", least),
      field("At most", "/constraints/max_creators", most),
      field("To one platform at most, %", "/constraints/max_share/platform", platform),
      field("To one niche at most, %", "/constraints/max_share/niche", niche),
    ),
    h("div.row", null, must, never),
    h("button", { type: "submit" }, "Plan again"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearErrors(form);
    const next = tidy({
      min_creators: least.read(),
      max_creators: most.read(),
      max_share: {
        platform: platform.read() ?? byName(constraints.max_share?.platform),
        niche: niche.read() ?? byName(constraints.max_share?.niche),
      },
      must_have: must.read(),
      never: never.read(),
    });
    const to = planAddress(read(new URLSearchParams(location.hash.split("?")[1])) ?? brief, next);
    if (location.hash === to) dispatchEvent(new HashChangeEvent("hashchange"));
    else location.hash = to;
  });
  const element = h(
    "details.constraints",
    { open },
    h("summary", null, "What the plan has to keep"),
    form,
  );
  return { element, form };
}

/** Keeps the plan that `asked()` asks for as a campaign's, so that its report stands against it. */
export function keeper(asked, constraints) {
  const name = h("input", { type: "text", maxlength: 200, required: true });
  const said = h("p", { role: "status" });
  const form = h(
    "form.find",
    { novalidate: true },
    field("Keep it as the plan of campaign", "/campaign_id", name, {
      hint: "Its outcomes will be compared with this forecast.",
    }),
    h("button", { type: "submit" }, "Keep the plan"),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearErrors(form);
    const id = name.value.trim();
    if (!id) {
      showErrors(form, [{ pointer: "/campaign_id", detail: "a name is needed" }]);
      return;
    }
    try {
      await post("v1/portfolios", { ...planned(asked(), constraints), campaign_id: id });
      const opened = h("a", { href: campaignAddress(id) }, "Open the campaign");
      said.replaceChildren("Kept. ", opened);
    } catch (error) {
      if (showErrors(form, error.errors ?? []).length || !error.errors?.length)
        said.replaceChildren(error.message);
    }
  });
  return panel("Run it", form, said);
}
