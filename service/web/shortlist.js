// The creators set aside on this device.

import { add, announce, h, put } from "./dom.js";
import * as format from "./format.js";
import { shortlist, toggle } from "./kept.js";
import { creatorLink } from "./row.js";
import { empty } from "./states.js";

export async function show(root) {
  const all = shortlist();
  const title = h("h1", { tabindex: -1 }, "Shortlist");
  put(root, title);
  if (!all.length) {
    const how = "Use ☆ Shortlist beside a creator. The list stays on this device.";
    add(root, empty("Nobody is on it yet", h("p", null, how)));
    return;
  }
  const remove = (one) => {
    toggle(one);
    show(root);
    root.querySelector("h1").focus();
  };
  const line = (one) =>
    h(
      "li",
      null,
      h("span", null, creatorLink(one), h("span.soft", null, ` ${format.platform(one.platform)}`)),
      h(
        "button.plain",
        { type: "button", "aria-label": `Remove ${one.handle}`, onclick: () => remove(one) },
        "Remove",
      ),
    );
  add(root, [
    h("p.soft", null, "Kept on this device alone."),
    h("ul.plainlist", null, all.map(line)),
    h("p", null, copier(all.map((one) => one.handle).join("\n"))),
  ]);
}

function copier(text) {
  const button = h("button", { type: "button" }, "Copy the handles");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      // Browsers keep the clipboard from pages that did not come by https.
      button.textContent = "The browser does not let this page copy";
    }
    announce(button.textContent);
  });
  return button;
}
