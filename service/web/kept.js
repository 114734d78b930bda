// The shortlist and the campaigns looked at, on this device alone.

function load(key) {
  try {
    const value = JSON.parse(localStorage.getItem(key));
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

function save(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // A browser that keeps nothing: the list lasts as long as the page.
  }
  memory.set(key, value);
  document.dispatchEvent(new CustomEvent("kept"));
}

const memory = new Map();
const all = (key) => {
  if (!memory.has(key)) memory.set(key, load(key));
  return memory.get(key);
};
const LIST = "creatorfit.shortlist";
const CAMPAIGNS = "creatorfit.campaigns";
addEventListener("storage", (event) => {
  memory.delete(event.key);
  document.dispatchEvent(new CustomEvent("kept"));
});

export const shortlist = () => all(LIST).filter((one) => typeof one?.creator_id === "string");
export const isListed = (id) => shortlist().some((one) => one.creator_id === id);

/** Put a creator on the shortlist, or take it off; says whether it is on it now. */
export function toggle({ creator_id, handle, platform }) {
  const on = isListed(creator_id);
  const others = shortlist().filter((one) => one.creator_id !== creator_id);
  save(LIST, on ? others : [...others, { creator_id, handle, platform }]);
  return !on;
}

export const campaigns = () => all(CAMPAIGNS).filter((one) => typeof one === "string");
export const remember = (id) => save(CAMPAIGNS, [id, ...campaigns().filter((one) => one !== id)].slice(0, 12));
export const forget = () => save(CAMPAIGNS, []);
