// Fields of a form, each with its label, its help and a place for what is wrong with it.

import { add, h, unique } from "./dom.js";

/** A labelled control. `pointer` is the JSON pointer of what it sets: errors find it by that. */
export function field(label, pointer, control, { hint } = {}) {
  const id = unique("f");
  const input = control.matches("input,select,textarea")
    ? control
    : control.querySelector("input,select");
  input.id = id;
  const help = hint && h("span.hint", { id: `${id}-hint` }, hint);
  if (hint) input.setAttribute("aria-describedby", `${id}-hint`);
  return h("div.field", { "data-pointer": pointer }, h("label", { for: id }, label), control, help);
}

/** Several controls under one legend. */
export function group(legend, pointer, ...children) {
  return h("fieldset.field", { "data-pointer": pointer }, h("legend", null, legend), ...children);
}

/** A number; `scale` is what the brief's value is multiplied by to be shown. */
export function number(value, { scale = 1, ...attributes } = {}) {
  const shown =
    value === undefined || value === null ? "" : String(+(value * scale).toPrecision(12));
  const input = h("input", {
    type: "number",
    inputmode: "decimal",
    step: "any",
    min: 0,
    value: shown,
    ...attributes,
  });
  input.read = () => (input.value === "" ? undefined : Number(input.value) / scale);
  return input;
}

/** Two numbers of a range. */
export function range(label, pointer, value, options = {}) {
  const low = number(value?.min, {
    "aria-label": `${label}, at least`,
    placeholder: "from",
    ...options,
  });
  const high = number(value?.max, {
    "aria-label": `${label}, at most`,
    placeholder: "to",
    ...options,
  });
  const element = group(
    label,
    pointer,
    h("div.pair", null, low, h("span", { "aria-hidden": "true" }, "–"), high),
  );
  element.read = () => ({ min: low.read(), max: high.read() });
  return element;
}

/** Boxes to tick. */
export function boxes(legend, pointer, options, chosen) {
  const inputs = options.map(([value, text]) => {
    const input = h("input", { type: "checkbox", value, checked: (chosen ?? []).includes(value) });
    return h("label.box", null, input, text);
  });
  const element = group(legend, pointer, h("div.boxes", null, inputs));
  element.read = () => [...element.querySelectorAll("input:checked")].map((input) => input.value);
  return element;
}

/** A choice of one. */
export function select(options, chosen) {
  const element = h(
    "select",
    null,
    options.map(([value, text]) =>
      h("option", { value, selected: value === (chosen ?? "") }, text),
    ),
  );
  element.read = () => element.value;
  return element;
}

/**
 * Several values, typed or chosen from suggestions.
 *
 * `suggest` gives [value, text] pairs; what is typed may be either, and what is neither is kept as
 * it is: the service says what is wrong with it.
 */
export function tokens(label, pointer, chosen, { suggest = [], hint, placeholder } = {}) {
  const listId = unique("list");
  const values = new Map();
  const chips = h("ul.chips", { "aria-label": label });
  const input = h("input", { type: "text", list: listId, autocomplete: "off", placeholder });
  const names = h("datalist", { id: listId });
  const element = field(label, pointer, h("div.tokens", null, chips, input, names), { hint });
  let known = [];
  const meant = (text) => {
    const low = text.toLocaleLowerCase();
    return known.find(
      ([value, name]) => value.toLowerCase() === low || name.toLocaleLowerCase() === low,
    );
  };
  const put = (value) => {
    if (!value || values.has(value)) return;
    const text = known.find(([one]) => one === value)?.[1] ?? value;
    const remove = h("button", { type: "button", "aria-label": `Remove ${text}` }, "×");
    const chip = h("li.chip", null, h("span", null, text), remove);
    remove.addEventListener("click", () => {
      values.delete(value);
      chip.remove();
      input.focus();
    });
    values.set(value, chip);
    chips.append(chip);
  };
  const take = () => {
    for (const text of input.value.split(",").map((part) => part.trim()))
      if (text) put(meant(text)?.[0] ?? text);
    input.value = "";
  };
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && input.value.trim()) {
      event.preventDefault();
      take();
    } else if (event.key === "Backspace" && !input.value && values.size) {
      [...values.values()].at(-1).querySelector("button").click();
    }
  });
  // Chosen from the suggestions, a value comes whole.
  input.addEventListener("input", (event) => {
    if (
      event.inputType === "insertReplacementText" ||
      event.inputType === undefined ||
      input.value.endsWith(",")
    )
      take();
  });
  input.addEventListener("change", take);
  element.suggest = (pairs) => {
    known = pairs;
    names.replaceChildren(...pairs.map(([, text]) => h("option", { value: text })));
    const before = [...values.keys()];
    values.clear();
    chips.replaceChildren();
    before.forEach(put);
  };
  element.suggest(suggest);
  (chosen ?? []).forEach(put);
  element.read = () => {
    take();
    return [...values.keys()];
  };
  return element;
}

/** Show beside its field what is wrong with it; gives those that no field is there for. */
export function showErrors(form, errors) {
  clearErrors(form);
  const others = [];
  let first = null;
  for (const { pointer, detail } of errors) {
    const place = fieldOf(form, pointer);
    if (!place) {
      others.push({ pointer, detail });
      continue;
    }
    const id = unique("error");
    const note = h("p.wrong", { id }, detail);
    for (const input of place.querySelectorAll("input,select,textarea")) {
      input.setAttribute("aria-invalid", "true");
      input.setAttribute(
        "aria-describedby",
        [input.getAttribute("aria-describedby"), id].filter(Boolean).join(" "),
      );
    }
    add(place, note);
    place.closest("details")?.setAttribute("open", "");
    first ??= place.querySelector("input,select,textarea");
  }
  first?.focus();
  return others;
}

export function clearErrors(form) {
  for (const note of form.querySelectorAll(".wrong")) note.remove();
  for (const input of form.querySelectorAll("[aria-invalid]")) {
    input.removeAttribute("aria-invalid");
    const said = (input.getAttribute("aria-describedby") ?? "")
      .split(" ")
      .filter((id) => document.getElementById(id));
    if (said.length) input.setAttribute("aria-describedby", said.join(" "));
    else input.removeAttribute("aria-describedby");
  }
}

/** The field that sets what a pointer names, or a part of it. */
function fieldOf(form, pointer) {
  for (let at = pointer; at; at = at.slice(0, at.lastIndexOf("/"))) {
    const found = [...form.querySelectorAll("[data-pointer]")].find(
      (one) => one.dataset.pointer === at,
    );
    if (found) return found;
  }
  return null;
}
