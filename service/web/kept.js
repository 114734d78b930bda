// The shortlist, on this device alone.

const KEY = "creatorfit.shortlist";
let memory = null;

function load() {
  try {
    const value = JSON.parse(localStorage.getItem(KEY));
    return Array.isArray(value) ? value.filter((one) => typeof one?.creator_id === "string") : [];
  } catch {
    return [];
  }
}

function save(value) {
  try {
    localStorage.setItem(KEY, JSON.stringify(value));
  } catch {
    // A browser that keeps nothing: the list lasts as long as the page.
  }
  memory = value;
  document.dispatchEvent(new CustomEvent("kept"));
}

// Another window changed it.
addEventListener("storage", () => {
  memory = null;
  document.dispatchEvent(new CustomEvent("kept"));
});

export function shortlist() {
  memory ??= load();
  return memory;
}

export const isListed = (id) => shortlist().some((one) => one.creator_id === id);

/** Put a creator on the shortlist, or take it off. */
export function toggle({ creator_id, handle, platform }) {
  const others = shortlist().filter((one) => one.creator_id !== creator_id);
  save(isListed(creator_id) ? others : [...others, { creator_id, handle, platform }]);
}
