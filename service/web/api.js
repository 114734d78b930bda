// Asks the service. What it refuses becomes a `Problem` with its fields.

import { plain } from "./dom.js";
import { askForKey, authorization } from "./key.js";

/** The service's problem document (RFC 9457). */
export class Problem extends Error {
  constructor(status, detail, errors) {
    super(detail);
    this.status = status;
    this.errors = errors;
  }
}

async function ask(path, options = {}) {
  let response;
  try {
    response = await send(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "The service cannot be reached. Is it running, and are you online?", []);
  }
  if (response.ok) return response;
  if (response.status === 401) throw new Problem(401, "This needs an API key of the service.", []);
  let body = {};
  try {
    body = await response.json();
  } catch {
    // What answered is no service of ours, such as a proxy.
  }
  throw new Problem(
    response.status,
    body.detail ?? `The service answered ${response.status}.`,
    body.errors ?? [],
  );
}

/** Fetch with the key there is; where the service asks for another, so does the page. */
async function send(path, options) {
  const used = authorization();
  const response = await fetch(path, { ...options, headers: { ...options.headers, ...used } });
  if (response.status === 401 && (await askForKey(used))) return send(path, options);
  return response;
}

const sent = (body, signal) => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
  signal,
});

// Creators' texts are in it, and not all of them go through `dom.js`.
const read = async (response) => JSON.parse(plain(await response.text()));

export const get = async (path, signal) => read(await ask(path, { signal }));
export const post = async (path, body, signal) => read(await ask(path, sent(body, signal)));

/** The address of something by its id. */
export const at = (kind, id, rest = "") =>
  `v1/${kind}/${String(id).split("/").map(encodeURIComponent).join("/")}${rest}`;

// The last answers by brief: back from a creator's page they are there at once, and they stay the
// answers that were shown.
const kept = new Map();
const KEPT = 8;

/** Rank creators for a brief. */
export async function recommend(brief, signal) {
  const key = JSON.stringify(brief);
  if (!kept.has(key)) {
    const answer = await post("v1/recommendations", brief, signal);
    kept.set(key, answer);
    if (kept.size > KEPT) kept.delete(kept.keys().next().value);
  }
  return kept.get(key);
}

let choices = null;
/** What filters may name, asked once; empty where the service cannot say. */
export function getChoices() {
  choices ??= get("v1/choices").catch(() => {
    choices = null;
    return { niches: [], platforms: [], countries: [], languages: [], currency: "USD" };
  });
  return choices;
}

/** Save a file that the service makes of a brief. */
export async function download(path, body, name) {
  const blob = await (await ask(path, sent(body))).blob();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
