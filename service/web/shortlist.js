// The creators set aside on this device.

import { add, announce, h, put } from "./dom.js";
import * as format from "./format.js";
import { shortlist, toggle } from "./kept.js";
import { creatorLink } from "./row.js";
import { empty } from "./states.js";

export async function show(root) {
  const draw = () => {
    const all = shortlist();
    put(root, h("h1", null, "Shortlist"));
    if (!all.length) {
      add(root, empty("Nobody is on it yet", h("p", null, "Use ☆ Shortlist beside a creator. The list stays on this device.")));
      return;
    }
    const copy = h("button", { type: "button" }, "Copy the handles");
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(all.map((one) => one.handle).join("\n"));
      announce("Copied");
      copy.textContent = "Copied";
    });
    add(root, [
      h("p.soft", null, "Kept on this device alone."),
      h("ul.plainlist", null, all.map((one) => h("li", null, h("span", null, creatorLink(one), h("span.soft", null, ` ${format.platform(one.platform)}`)), h("button.plain", { type: "button", "aria-label": `Remove ${one.handle}`, onclick: () => { toggle(one); draw(); root.querySelector("h1").focus(); } }, "Remove")))),
      h("p", null, copy),
    ]);
  };
  draw();
}
