// What stands where there is nothing yet, nothing at all, or something went wrong.

import { h } from "./dom.js";

/** While an answer is awaited. */
export function waiting(text) {
  return h(
    "div.waiting",
    { role: "status" },
    h("p", null, `${text} …`),
    h("div.bones", { "aria-hidden": "true" }, h("i"), h("i"), h("i")),
  );
}

/** Where there is nothing. */
export function empty(title, ...children) {
  return h("div.empty", null, h("h2", null, title), ...children);
}

/** What went wrong, and another try. */
export function failure(error, again) {
  const known = error.status !== undefined;
  if (!known) console.error(error);
  return h(
    "div.failure",
    { role: "alert" },
    h("h2", null, error.status === 404 ? "Nothing is known of it" : "That did not work"),
    h("p", null, known ? error.message : "The page itself failed. Its console says how."),
    error.errors?.length > 1 &&
      h(
        "ul",
        null,
        error.errors.map((one) => h("li", null, h("code", null, one.pointer), ` ${one.detail}`)),
      ),
    again && h("button", { type: "button", onclick: again }, "Try again"),
  );
}
