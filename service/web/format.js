// Numbers, money, dates and names in the reader's own locale.

const locale = navigator.languages?.length ? [...navigator.languages] : undefined;
const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat(locale, { notation: "compact", maximumSignificantDigits: 3 });
const two = new Intl.NumberFormat(locale, { maximumSignificantDigits: 2 });
const three = new Intl.NumberFormat(locale, { maximumSignificantDigits: 3 });
const percents = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat(locale, { style: "percent", maximumSignificantDigits: 2 });
const day = new Intl.DateTimeFormat(locale, { dateStyle: "medium" });
const moments = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
const month = new Intl.DateTimeFormat(locale, { month: "short", year: "numeric", timeZone: "UTC" });
const listed = new Intl.ListFormat(locale, { type: "conjunction" });
const countries = new Intl.DisplayNames(locale, { type: "region" });
const languages = new Intl.DisplayNames(locale, { type: "language" });

const NOTHING = "–";
const known = (format) => (value) =>
  value === null || value === undefined ? NOTHING : format(value);

export const count = known((value) => whole.format(value));
export const compact = known((value) => short.format(value));
/** Few conversions are told with a fraction, many without. */
export const amount = known((value) => (Math.abs(value) < 10 ? two : whole).format(value));
export const figure = known((value) => three.format(value));
export const percent = known((value) => percents.format(value));
/** A rate of conversions: two digits, however small. */
export const rate = known((value) => fine.format(value));
export const date = known((value) => day.format(new Date(value)));
export const time = known((value) => moments.format(new Date(value)));
export const monthName = (value) => month.format(new Date(`${value}-01T00:00:00Z`));
/** A share as a figure that a field takes: of a hundred, with a point. */
export const share = (value) => String(+(value * 100).toPrecision(6));
export const list = (values) => listed.format(values);

const formats = new Map();
export function money(value, currency) {
  if (value === null || value === undefined) return NOTHING;
  const fraction = Math.abs(value) < 10 ? 2 : 0;
  const key = `${currency} ${fraction}`;
  if (!formats.has(key)) {
    const options = {
      style: "currency",
      currency,
      maximumFractionDigits: fraction,
      minimumFractionDigits: fraction,
    };
    formats.set(key, new Intl.NumberFormat(locale, options));
  }
  return formats.get(key).format(value);
}

const PLATFORMS = {
  instagram: "Instagram",
  youtube: "YouTube",
  tiktok: "TikTok",
  twitch: "Twitch",
  x: "X",
  facebook: "Facebook",
  pinterest: "Pinterest",
  blog: "Blog",
  other: "Other",
};
export const platforms = Object.keys(PLATFORMS);
export const platform = (value) => PLATFORMS[value] ?? value;
const named = (names) => (code) => {
  try {
    return names.of(code) ?? code;
  } catch {
    return code;
  }
};
export const country = named(countries);
export const language = named(languages);
/** Where a forecast most likely lies. */
export const likely = ({ p10, p90 }) => `likely ${amount(p10)} to ${amount(p90)}`;
export const plural = (number, one, many) => `${count(number)} ${number === 1 ? one : many}`;
export const creators = (number) => plural(number, "creator", "creators");
