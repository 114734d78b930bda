// The map: creators near each other post about like things. The list beside it says the same.

import { get } from "./api.js";
import { debounced, h, put, svg } from "./dom.js";
import { field, select } from "./fields.js";
import * as format from "./format.js";
import { creatorAddress } from "./parts.js";
import { creatorLink } from "./row.js";

const TIERS = ["nano", "micro", "mid", "macro", "mega"];
const SIZE = 1000;
const EDGE = 60; // around the map, for the names of niches at its rim
const LISTED = 60;
const DOT = 6;
// About what a letter and a line of a name take of the picture.
const LETTER = 10;
const LINE = 24;

export async function show(root, params, signal) {
  const found = await get("v1/map", signal);
  if (signal.aborted) return;
  const shown = format.count(found.points.length);
  const place = (value) => EDGE + value * (SIZE - 2 * EDGE);
  const tone = (tier) => `var(--t${Math.max(0, TIERS.indexOf(tier))})`;
  const dots = new Map(
    found.points.map((one) => [
      one.creator_id,
      svg("circle.dot", {
        cx: place(one.x).toFixed(1),
        cy: place(one.y).toFixed(1),
        r: DOT,
        "--tone": tone(one.tier),
        "data-id": one.creator_id,
      }),
    ]),
  );
  const byId = new Map(found.points.map((one) => [one.creator_id, one]));
  const labels = apart(
    found.niches.map((one) => ({ text: one.label, x: place(one.x), y: place(one.y) })),
  ).map((one) => svg("text", { x: one.x.toFixed(1), y: one.y.toFixed(1) }, one.text));
  const picture = svg(
    "svg",
    {
      viewBox: `0 0 ${SIZE} ${SIZE}`,
      role: "img",
      "aria-label": "Creators by niche; the list beside the map holds the same creators",
    },
    svg("g", null, [...dots.values()]),
    svg("g", null, labels),
  );
  const tip = h("span.tip", { hidden: true });
  const view = viewOf(picture, signal, (zoom) => {
    for (const dot of dots.values()) dot.setAttribute("r", (DOT / zoom ** 0.75).toFixed(2));
    for (const label of labels)
      label.style.setProperty(
        "font-size",
        `${((found.niches.length > 12 ? 19 : 22) / zoom).toFixed(2)}px`,
      );
  });
  const sheet = h(
    "div.sheet",
    null,
    picture,
    tip,
    h(
      "div.zoom",
      null,
      h("button", { type: "button", "aria-label": "Closer", onclick: () => view.zoom(1.5) }, "+"),
      h(
        "button",
        { type: "button", "aria-label": "Further away", onclick: () => view.zoom(1 / 1.5) },
        "−",
      ),
      h("button", { type: "button", onclick: () => view.reset() }, "All"),
    ),
  );

  const text = h("input", { type: "search", placeholder: "Name" });
  const niche = select(
    [
      ["", "Every niche"],
      ...found.niches
        .map((one) => one.label)
        .sort()
        .map((one) => [one, one]),
    ],
    params.get("niche"),
  );
  const tiers = TIERS.map((tier) =>
    h(
      "label.box",
      { "--tone": tone(tier) },
      h("input", { type: "checkbox", checked: true, value: tier }),
      tier,
    ),
  );
  const list = h("ul.found", { tabindex: 0, "aria-label": "Creators on the map" });
  const said = h("p.soft", { role: "status" });
  let lit = null;
  const light = (id) => {
    if (lit) dots.get(lit)?.classList.remove("on");
    lit = id;
    const dot = id && dots.get(id);
    tip.hidden = !dot;
    if (!dot) return;
    dot.classList.add("on");
    dot.parentNode.append(dot);
    const one = byId.get(id);
    const box = dot.getBoundingClientRect();
    const frame = sheet.getBoundingClientRect();
    tip.textContent = `${one.handle} · ${one.niche} · ${one.tier ?? "size not known"}`;
    tip.style.setProperty(
      "--x",
      `${Math.min(Math.max(box.left + box.width / 2 - frame.left, 110), frame.width - 110)}px`,
    );
    tip.style.setProperty("--y", `${Math.max(box.top - frame.top, 40)}px`);
  };
  const draw = () => {
    const words = text.value.trim().toLocaleLowerCase();
    const on = new Set(
      tiers.filter((one) => one.firstChild.checked).map((one) => one.firstChild.value),
    );
    const keep = found.points.filter(
      (one) =>
        (!niche.value || one.niche === niche.value) &&
        (one.tier === null || on.has(one.tier)) &&
        (!words || one.handle.toLocaleLowerCase().includes(words)),
    );
    const kept = new Set(keep.map((one) => one.creator_id));
    for (const [id, dot] of dots) dot.classList.toggle("off", !kept.has(id));
    light(null);
    const first = keep.length > LISTED ? `; the first ${LISTED} are listed` : "";
    said.textContent = format.creators(keep.length) + first;
    list.replaceChildren(
      ...keep
        .slice(0, LISTED)
        .map((one) =>
          h(
            "li",
            { onmouseenter: () => light(one.creator_id), onfocusin: () => light(one.creator_id) },
            creatorLink(one),
            h("span.soft", null, niche.value ? one.tier : one.niche),
          ),
        ),
    );
  };
  picture.addEventListener("pointerover", (event) => light(event.target.dataset?.id ?? null));
  picture.addEventListener("click", (event) => {
    const { id } = event.target.dataset ?? {};
    if (id && !view.dragged()) location.hash = creatorAddress(id);
  });
  niche.addEventListener("change", () => {
    draw();
    const one = found.niches.find((other) => other.label === niche.value);
    if (one) view.look(place(one.x), place(one.y), 3);
    else view.reset();
  });
  text.addEventListener("input", debounced(draw, 100));
  for (const one of tiers) one.firstChild.addEventListener("change", draw);
  put(
    root,
    h("h1", null, "Map of creators"),
    h(
      "p.soft",
      null,
      "Near each other, where they post about like things. Colour is size.",
      found.points.length < found.creators &&
        ` ${shown} of ${format.count(found.creators)} are shown.`,
    ),
    h("fieldset.tiers", null, h("legend.hidden", null, "Size"), tiers),
    h(
      "div.map",
      null,
      sheet,
      h(
        "div",
        null,
        h("div.filters", null, field("Niche", "", niche), field("Find", "", text)),
        said,
        list,
      ),
    ),
  );
  draw();
  view.reset();
  if (niche.value) niche.dispatchEvent(new Event("change"));
}

/** Names moved up or down where they would cover each other. */
function apart(names) {
  const half = (one) => (one.text.length * LETTER) / 2;
  const placed = [];
  for (const one of [...names].sort((a, b) => a.y - b.y)) {
    let y = one.y;
    for (const other of placed)
      if (Math.abs(other.x - one.x) < half(other) + half(one) && y - other.y < LINE)
        y = other.y + LINE;
    placed.push({ ...one, y });
  }
  return placed;
}

/** What part of the picture is seen; `changed(zoom)` keeps dots and names readable. */
function viewOf(picture, signal, changed) {
  let [x, y, zoom] = [0, 0, 1];
  let from = null;
  let moved = false;
  const draw = () => {
    const side = SIZE / zoom;
    x = Math.min(Math.max(x, 0), SIZE - side);
    y = Math.min(Math.max(y, 0), SIZE - side);
    picture.setAttribute(
      "viewBox",
      `${x.toFixed(1)} ${y.toFixed(1)} ${side.toFixed(1)} ${side.toFixed(1)}`,
    );
    changed(zoom);
  };
  const look = (centreX, centreY, next) => {
    zoom = Math.min(Math.max(next, 1), 12);
    x = centreX - SIZE / zoom / 2;
    y = centreY - SIZE / zoom / 2;
    draw();
  };
  const middle = () => [x + SIZE / zoom / 2, y + SIZE / zoom / 2];
  picture.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // a plain wheel scrolls the page
      event.preventDefault();
      look(...middle(), zoom * (event.deltaY < 0 ? 1.2 : 1 / 1.2));
    },
    { passive: false },
  );
  picture.addEventListener("pointerdown", (event) => {
    from = [event.clientX, event.clientY, x, y];
    moved = false;
  });
  addEventListener(
    "pointermove",
    (event) => {
      if (!from) return;
      const scale = SIZE / zoom / picture.clientWidth;
      if (Math.hypot(event.clientX - from[0], event.clientY - from[1]) > 4) moved = true;
      x = from[2] - (event.clientX - from[0]) * scale;
      y = from[3] - (event.clientY - from[1]) * scale;
      draw();
    },
    { signal },
  );
  addEventListener(
    "pointerup",
    () => {
      from = null;
    },
    { signal },
  );
  return {
    look,
    zoom: (times) => look(...middle(), zoom * times),
    reset: () => look(SIZE / 2, SIZE / 2, 1),
    dragged: () => moved,
  };
}
