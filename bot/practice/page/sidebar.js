// The left side: person switcher, channels, app, direct messages, language and theme.

import { arrowKeys, debounce, el, icon, iconButton } from "./dom.js";
import { avatar, personSwitcher, toggleLocale } from "./people.js";
import { post } from "./api.js";
import { botChannel, nameOf, on, state } from "./store.js";
import { toggleTheme } from "./theme.js";
import { unread } from "./unread.js";
import { reopenTour, tourIsHidden } from "./tour.js";
import { t } from "./words.js";

const root = document.getElementById("sidebar");

/** Open the direct messages with the bot; the first call creates the channel. */
export async function openBotChannel() {
  const known = botChannel() ?? (await post("dms")).channel;
  if (!known) return;
  state.channels.set(known.id, known);
  location.hash = `#${known.id}`;
}

function entry({ href, lead, label, count = 0, testid, onclick }) {
  const here = href && href === (state.place.kind === "home" ? "#home" : `#${state.place.id}`);
  const props = {
    class: count ? "entry unread" : "entry",
    href: href ?? "#",
    onclick,
    "aria-current": here ? "page" : null,
    "data-testid": testid,
  };
  const mark = count ? el("span", { class: "count", "aria-label": t("unread", count) }, String(count)) : null;
  return el("li", {}, el("a", props, lead, el("span", { class: "grow" }, label), mark));
}

const channelEntry = (channel) =>
  entry({
    href: `#${channel.id}`,
    lead: icon(channel.is_private ? "lock" : "hash"),
    label: channel.name,
    count: unread(channel.id),
    testid: `channel-${channel.name}`,
  });

function botEntries() {
  const channel = botChannel();
  const open = (event) => {
    event.preventDefault();
    openBotChannel();
  };
  const lead = avatar(state.bot, "tiny");
  return [
    entry({
      href: channel && `#${channel.id}`,
      lead,
      label: nameOf(state.bot),
      count: channel ? unread(channel.id) : 0,
      testid: "bot-messages",
      onclick: channel ? null : open,
    }),
    entry({ href: "#home", lead: icon("home"), label: t("app_home"), testid: "app-home" }),
  ];
}

const personEntry = (channel) => {
  const other = state.people.get(channel.user) ?? { name: channel.name };
  return entry({
    href: `#${channel.id}`,
    lead: avatar(other, "tiny"),
    label: nameOf(other),
    count: unread(channel.id),
    testid: `dm-${channel.user}`,
  });
};

function group(title, entries) {
  return entries.length ? el("section", {}, el("h2", {}, title), el("ul", {}, entries)) : null;
}

function status() {
  const [kind, words] = !state.online
    ? ["offline", t("offline")]
    : state.connected
      ? ["on", t("bot_connected")]
      : ["off", t("bot_away")];
  return el("span", { class: `status ${kind}`, role: "status", "data-testid": "connection" }, words);
}

/** Open or close the sidebar, which is a drawer on a phone. While it is open, the rest of the page is inert. */
export function showDrawer(open) {
  const wasOpen = document.body.classList.contains("drawer");
  document.body.classList.toggle("drawer", open);
  for (const id of ["tour", "main", "thread"]) document.getElementById(id).inert = open;
  if (open) root.querySelector("a, button")?.focus();
  else if (wasOpen) document.querySelector("[data-testid=drawer]")?.focus();
}

function renderSidebar() {
  if (!state.me) return;
  const channels = [...state.channels.values()];
  const spot = root.contains(document.activeElement) && document.activeElement.dataset.testid;
  const direct = channels.filter((channel) => channel.is_im && channel.user !== state.bot.id);
  root.replaceChildren(
    el(
      "header",
      { class: "brand" },
      el("span", { class: "logo", "aria-hidden": "true" }, "窓"),
      el("div", {}, el("strong", {}, t("title")), el("small", {}, t("subtitle"))),
    ),
    personSwitcher(),
    el(
      "nav",
      { "aria-label": t("channels") },
      group(t("channels"), channels.filter((channel) => !channel.is_im).map(channelEntry)) ?? "",
      group(t("apps"), botEntries()),
      group(t("direct"), direct.map(personEntry)) ?? "",
    ),
    el(
      "footer",
      {},
      status(),
      el("span", { class: "grow" }),
      el(
        "button",
        {
          type: "button",
          class: "quiet",
          lang: state.me.locale?.startsWith("ja") ? "en" : "ja",
          onclick: toggleLocale,
          "data-testid": "locale",
        },
        t("other_language"),
      ),
      tourIsHidden() && iconButton("info", t("tour_title"), reopenTour, { "data-testid": "tour-again" }),
      iconButton("theme", t("theme"), toggleTheme, { "data-testid": "theme" }),
    ),
  );
  if (spot) root.querySelector(`[data-testid="${CSS.escape(spot)}"]`)?.focus();
  const total = channels.reduce((sum, { id }) => sum + unread(id), 0);
  document.title = `${total ? `(${total}) ` : ""}${t("title")}`;
}

const renderSoon = debounce(renderSidebar);
arrowKeys(root, "nav a");
["hello", "channels", "people", "place", "unread", "connection", "tour"].forEach((topic) => on(topic, renderSoon));
document.getElementById("veil").addEventListener("click", () => showDrawer(false));
