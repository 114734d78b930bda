// The API key that the service asks for, kept for as long as this tab is open.

import { h } from "./dom.js";

const KEY = "creatorfit-key";
// Whoever closes the dialog without a key is not asked again by what else was under way.
const QUIET_MS = 1000;
const GIVEN = "given";
let asking = null;
let closed = -QUIET_MS;

/** The header that sends the key; nothing where none was asked for yet. */
export function authorization() {
  const key = sessionStorage.getItem(KEY);
  return key ? { Authorization: `Bearer ${key}` } : {};
}

/** Whether there is a key to forget. */
export const hasKey = () => sessionStorage.getItem(KEY) !== null;

/** Forget it, and all that was shown with it. */
export function forgetKey() {
  sessionStorage.removeItem(KEY);
  location.reload();
}

/**
 * Ask for a key; all who wait for one wait for the same. Says whether one was given.
 *
 * `used` is the header that was refused: where another key came in the meantime, that one is tried.
 */
export function askForKey(used) {
  if (authorization().Authorization !== used.Authorization) return Promise.resolve(true);
  if (!asking && performance.now() - closed < QUIET_MS) return Promise.resolve(false);
  asking ??= new Promise((resolve) => {
    const input = h("input", {
      id: "key",
      type: "password",
      required: true,
      autocomplete: "off",
      spellcheck: "false",
      "aria-describedby": "key-hint",
    });
    const form = h(
      "form",
      { method: "dialog" },
      h("h2", { id: "key-title" }, "This service asks for a key"),
      used.Authorization && h("p.wrong", { role: "alert" }, "The key it was given is not taken."),
      h("label", { for: "key" }, "API key"),
      input,
      h(
        "p.hint",
        { id: "key-hint" },
        "Whoever runs the service gives you one. It is kept until this tab is closed.",
      ),
      h("div.actions", null, h("button.primary", { value: GIVEN }, "Go on")),
    );
    const dialog = h("dialog.key", { "aria-labelledby": "key-title" }, form);
    form.addEventListener("submit", () => {
      // A header takes no other characters, and a key has none.
      sessionStorage.setItem(KEY, input.value.replace(/[^\x21-\x7e]/g, ""));
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      asking = null;
      if (dialog.returnValue !== GIVEN) closed = performance.now();
      document.dispatchEvent(new Event("key"));
      resolve(authorization().Authorization !== used.Authorization);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
  return asking;
}
