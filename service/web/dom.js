// Builds elements. Text always goes in as text: creators write what is shown here.

const SVG = "http://www.w3.org/2000/svg";

// Steers what is around it, or shows nothing: control characters, and those that turn the order of
// writing beyond the text they stand in. `service/plain.py` has the same.
const STEERS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** A text as it may be shown. */
export const plain = (text) => text.replace(STEERS, "");

/** An element: h("p.note", {title: "x"}, "text", child). Children that are null are left out. */
export function h(tag, attributes, ...children) {
  const [name, ...classes] = tag.split(".");
  return fill(document.createElement(name), classes, attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes, ...children) {
  const [name, ...classes] = tag.split(".");
  return fill(document.createElementNS(SVG, name), classes, attributes, children);
}

function fill(element, classes, attributes, children) {
  if (classes.length) element.setAttribute("class", classes.join(" "));
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.startsWith("--")) element.style.setProperty(name, value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : plain(String(value)));
  }
  add(element, children);
  return element;
}

/** Append children; arrays are flattened, null and false left out. */
export function add(element, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(typeof child === "string" ? plain(child) : child);
  }
}

/** Put children in the place of those there are. */
export function put(element, ...children) {
  element.replaceChildren();
  add(element, children);
}

/** A link to a creator's own address, or its text alone where that is not http(s). */
export function outside(url, ...children) {
  let safe = null;
  try {
    const parsed = new URL(url);
    if (parsed.protocol === "https:" || parsed.protocol === "http:") safe = parsed.href;
  } catch {
    // No address: shown as text.
  }
  if (!safe) return h("span", null, ...children);
  return h("a", { href: safe, target: "_blank", rel: "noopener noreferrer nofollow" }, ...children);
}

/** Tell those who do not see the page what changed on it. */
export function announce(text) {
  document.getElementById("status").textContent = plain(text);
}

let ids = 0;
/** An id that no other element has. */
export function unique(prefix) {
  ids += 1;
  return `${prefix}-${ids}`;
}

/** Call `run` once things have been quiet for `ms`. */
export function debounced(run, ms) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...args), ms);
  };
}
