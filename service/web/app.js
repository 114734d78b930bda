// The shell: which page an address means, and what is the same on all of them.

import { get } from "./api.js";
import { add, announce, h } from "./dom.js";
import { time } from "./format.js";
import { shortlist } from "./kept.js";
import { forgetKey, hasKey } from "./key.js";
import { showForm } from "./form.js";
import { failure, waiting } from "./states.js";

const PAGES = {
  "": { name: "form", title: "Brief", show: showForm },
  results: { name: "form", title: "Creators", load: () => import("./results.js") },
  plan: { name: "form", title: "Plan", load: () => import("./plan.js") },
  creator: { name: "map", title: "Creator", load: () => import("./creator.js") },
  map: { name: "map", title: "Map", load: () => import("./map.js") },
  campaign: { name: "campaign", title: "Campaign", load: () => import("./campaign.js") },
  shortlist: { name: "shortlist", title: "Shortlist", load: () => import("./shortlist.js") },
  model: { name: "model", title: "Model", load: () => import("./model.js") },
};

const main = document.getElementById("main");
let leaving = new AbortController();
let first = true;

async function route() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const page = PAGES[path];
  for (const link of document.querySelectorAll("nav a[data-page]")) {
    if (link.dataset.page === page?.name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const root = h("div.page");
  const busy = setTimeout(() => root.childElementCount || add(root, waiting("Loading")), 120);
  main.replaceChildren(root);
  document.title = `${page?.title ?? "Not found"} · creatorfit`;
  window.scrollTo(0, 0);
  try {
    if (!page) {
      add(root, [
        h("h1", null, "There is no such page"),
        h("p", null, h("a", { href: "#/" }, "Write a brief")),
      ]);
    } else {
      const show = page.show ?? (await page.load()).show;
      if (signal.aborted) return;
      await show(root, new URLSearchParams(query), signal);
    }
  } catch (error) {
    if (error.name === "AbortError" || signal.aborted) return;
    root.replaceChildren(
      h("h1", null, page?.title ?? "Error"),
      failure(error, () => route()),
    );
    announce("That did not work");
  } finally {
    clearTimeout(busy);
  }
  if (signal.aborted) return;
  // Whoever came by a link starts reading at the new page's title.
  const heading = root.querySelector("h1");
  if (!first && heading && !root.contains(document.activeElement)) {
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }
  first = false;
}

function showCount() {
  const badge = document.getElementById("shortlist-count");
  const number = shortlist().length;
  badge.textContent = String(number);
  badge.hidden = number === 0;
}

async function showModel() {
  try {
    const model = await get("v1/model");
    const kind =
      model.model.kind === "heuristic"
        ? "orders by rules, claims no rate"
        : "learned from outcomes";
    document.getElementById("simulated").hidden = !model.model.simulated;
    document.getElementById("foot-model").textContent =
      `Model ${model.model.version}, ${kind}; data to ${time(model.as_of)}.`;
  } catch {
    document.getElementById("foot-model").textContent = "No model is being served.";
  }
}

function showKey() {
  document.getElementById("forget-key").hidden = !hasKey();
}

// The skip link's address would be taken for a page.
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener("hashchange", route);
document.addEventListener("kept", showCount);
document.addEventListener("key", showKey);
document.getElementById("forget-key").addEventListener("click", forgetKey);
showKey();
showCount();
showModel();
route();
