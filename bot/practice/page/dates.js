// Dates and times in the current person's language and the machine's time zone.

import { locale, t } from "./words.js";

const DAY_MS = 86_400_000;

const format = (date, options) => new Intl.DateTimeFormat(locale(), options).format(date);
export const dateOf = (ts) => new Date(Number(ts) * 1000);
export const clockTime = (date) => format(date, { hour: "numeric", minute: "2-digit" });
/** The time without AM or PM, for the narrow column beside a message that follows another one. */
export const bareTime = (date) =>
  new Intl.DateTimeFormat(locale(), { hour: "numeric", minute: "2-digit" })
    .formatToParts(date)
    .filter((part) => part.type !== "dayPeriod")
    .map((part) => part.value)
    .join("")
    .trim();
export const fullTime = (date) => format(date, { dateStyle: "long", timeStyle: "medium" });
const midnight = (date) => new Date(date).setHours(0, 0, 0, 0);

function relativeDay(date) {
  const days = Math.round((midnight(Date.now()) - midnight(date)) / DAY_MS);
  return { 0: t("today"), 1: t("yesterday"), "-1": t("tomorrow") }[days];
}

export const dayLine = (date) =>
  relativeDay(date) ?? format(date, { year: "numeric", month: "long", day: "numeric", weekday: "long" });

function ago(date) {
  const minutes = Math.round((date - Date.now()) / 60_000);
  const words = new Intl.RelativeTimeFormat(locale(), { numeric: "auto" });
  if (Math.abs(minutes) < 60) return words.format(minutes, "minute");
  if (Math.abs(minutes) < 1440) return words.format(Math.round(minutes / 60), "hour");
  return words.format(Math.round(minutes / 1440), "day");
}

const long = (date) => format(date, { weekday: "long", year: "numeric", month: "long", day: "numeric" });
const medium = (date) => format(date, { year: "numeric", month: "long", day: "numeric" });
const short = (date) => format(date, { year: "numeric", month: "short", day: "numeric" });

// The tokens of Slack's <!date^timestamp^format^link|fallback>.
const TOKENS = {
  date_num: (date) => format(date, { year: "numeric", month: "2-digit", day: "2-digit" }),
  date: medium,
  date_short: short,
  date_long: long,
  date_pretty: (date) => relativeDay(date) ?? medium(date),
  date_short_pretty: (date) => relativeDay(date) ?? short(date),
  date_long_pretty: (date) => relativeDay(date) ?? long(date),
  time: clockTime,
  time_secs: (date) => format(date, { hour: "numeric", minute: "2-digit", second: "2-digit" }),
  ago,
};

/** Replace Slack's date tokens in a pattern for a Unix time in seconds; an unknown token stays unchanged. */
export function fillDate(seconds, pattern) {
  return pattern.replace(/\{(\w+)\}/g, (token, name) => TOKENS[name]?.(dateOf(seconds)) ?? token);
}
