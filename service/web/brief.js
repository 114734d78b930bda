// The brief as it stands in the address, and what can be done to it.

const ASK_AT_ONCE = 50;

export const EXAMPLES = [
  {
    title: "A vegan serum",
    brief: {
      brand: { name: "Luma" },
      query:
        "Launch of a fragrance-free vegan serum for sensitive skin; honest routines, no filters.",
      filters: { follower_count: { min: 5000, max: 100000 } },
      budget: { amount: 5000 },
    },
  },
  {
    title: "Trail running shoes",
    brief: {
      brand: { name: "Fernfell" },
      query:
        "Light trail running shoes for beginners: first hills, muddy paths, plans that people keep.",
      objective: "value",
      budget: { amount: 3000 },
    },
  },
  {
    title: "A cosy strategy game",
    brief: {
      brand: { name: "Tallow Games" },
      query:
        "A cosy strategy game about running a village bakery. First impressions and let's plays.",
      objective: "conversions",
      filters: { platforms: ["youtube", "twitch", "tiktok"] },
    },
  },
];

/** The address of a page about a brief. */
export function address(page, brief, more = {}) {
  const said = new URLSearchParams({ brief: JSON.stringify(brief) });
  for (const [name, value] of Object.entries(more)) said.set(name, JSON.stringify(value));
  return `#/${page}?${said}`;
}

/** What an address says, or null where that is nothing. */
export function read(params, name = "brief") {
  try {
    const value = JSON.parse(params.get(name));
    return value !== null && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** A JSON merge patch (RFC 7396) applied. */
export function merged(target, patch) {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const out =
    target !== null && typeof target === "object" && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete out[name];
    else out[name] = merged(out[name], value);
  }
  return out;
}

/** A brief without what is empty, so that its address is short and its key one. */
export function tidy(value) {
  if (Array.isArray(value)) return value;
  if (value === null || typeof value !== "object") return value;
  const out = {};
  for (const [name, part] of Object.entries(value)) {
    const clean = tidy(part);
    const empty =
      clean === null ||
      clean === undefined ||
      clean === "" ||
      (Array.isArray(clean) && !clean.length) ||
      (typeof clean === "object" && !Array.isArray(clean) && !Object.keys(clean).length);
    if (!empty) out[name] = clean;
  }
  return out;
}

/** A brief that leaves one creator out. */
export function without(brief, creatorId) {
  const excluded = new Set(brief.filters?.exclude_creators ?? []);
  excluded.add(creatorId);
  return merged(brief, { filters: { exclude_creators: [...excluded] } });
}

/** A brief as it is sent. */
export function asked(brief) {
  return { limit: ASK_AT_ONCE, ...brief };
}

/** What a plan is asked with. */
export function planned(brief, constraints) {
  return { ...asked(brief), ...(Object.keys(constraints).length ? { constraints } : {}) };
}
