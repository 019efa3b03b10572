// The middle: a channel or direct message with messages and composer, or the App Home.

import { post } from "./api.js";
import { blocks } from "./blocks.js";
import { composer } from "./composer.js";
import { debounce, el, icon, iconButton, isPhone } from "./dom.js";
import { messageList } from "./list.js";
import { loadHistory } from "./loading.js";
import { mrkdwn } from "./mrkdwn.js";
import { avatar } from "./people.js";
import { openBotChannel, showDrawer } from "./sidebar.js";
import { history, isLoaded, nameOf, on, state } from "./store.js";
import { Surface } from "./surface.js";
import { markRead } from "./unread.js";
import { language, t } from "./words.js";

const root = document.getElementById("main");
const list = messageList("messages");
let homeSurface = null;

const isBotDm = (channel) => channel?.is_im && channel.user === state.bot.id;

/** Return a channel's display name: "#general", or the name of the other person of a direct message. */
export function channelLabel(channel) {
  if (!channel?.is_im) return `#${channel?.name ?? ""}`;
  const other = channel.user === state.bot.id ? state.bot : state.people.get(channel.user);
  return other ? nameOf(other) : channel.name;
}

function tabs(current) {
  const tab = (name, label, onclick) =>
    el(
      "button",
      {
        type: "button",
        class: "tab",
        "aria-current": current === name ? "page" : null,
        "data-testid": `tab-${name}`,
        onclick,
      },
      label,
    );
  return el(
    "nav",
    { class: "tabs", "aria-label": nameOf(state.bot) },
    tab("home", t("app_home"), () => (location.hash = "#home")),
    tab("messages", t("app_messages"), openBotChannel),
  );
}

function header(lead, title, below) {
  const drawer = iconButton("menu", t("open_sidebar"), () => showDrawer(true), {
    class: "icon-button drawer-button",
    "data-testid": "drawer",
  });
  return el("header", { class: "bar" }, drawer, lead, el("div", { class: "bar-words" }, el("h1", {}, title), below));
}

function channelHeader(channel) {
  if (isBotDm(channel)) return [header(avatar(state.bot, "small"), nameOf(state.bot)), tabs("messages")];
  const lead = channel.is_im ? null : icon(channel.is_private ? "lock" : "hash");
  const members = channel.members?.length ?? channel.num_members;
  const topic = channel.topics?.[language()];
  const below = el(
    "p",
    { class: "soft topic" },
    [members && t("members", members), topic && mrkdwn(topic)]
      .flat()
      .filter(Boolean)
      .flatMap((part, at) => (at ? [" · ", part] : [part])),
  );
  return [header(lead, channel.is_im ? channelLabel(channel) : channel.name, below)];
}

function showMessages() {
  const { id } = state.place;
  const channel = state.channels.get(id);
  list.show({
    channel: id,
    messages: history(id),
    label: t("messages_in", channelLabel(channel)),
    place: id,
    empty: isLoaded(id) && t("empty_channel"),
  });
}

async function openChannel(id) {
  const channel = state.channels.get(id);
  root.replaceChildren(
    ...channelHeader(channel),
    list.node,
    composer({ channel: id }, t("write_to", channelLabel(channel))),
  );
  showMessages();
  await loadHistory(id);
  markRead(id);
}

function homeBody() {
  if (!state.home) return el("p", { class: "empty" }, t("empty_home"));
  if (homeSurface?.container.view_id !== state.home.id)
    homeSurface = new Surface({ type: "view", view_id: state.home.id });
  return el(
    "div",
    { class: "content home-body", "data-testid": "home", "data-view-id": state.home.id },
    blocks(state.home.blocks, homeSurface),
  );
}

function renderHome() {
  if (state.place.kind !== "home") return;
  const spot = document.activeElement?.dataset.spot;
  const top = root.querySelector(".home-scroll")?.scrollTop ?? 0;
  const body = el(
    "div",
    { class: "scroll home-scroll", role: "region", tabindex: "0", "aria-label": t("app_home") },
    homeBody(),
  );
  root.replaceChildren(header(avatar(state.bot, "small"), nameOf(state.bot)), tabs("home"), body);
  body.scrollTop = top;
  if (spot) root.querySelector(`[data-spot="${CSS.escape(spot)}"]`)?.focus();
}

function renderPlace() {
  if (state.place.kind === "home") {
    renderHome();
    post("home");
  } else if (state.place.kind === "channel") openChannel(state.place.id);
}

on("place", renderPlace);
on("home", renderHome);
const showSoon = debounce(() => state.place.kind === "channel" && showMessages());
on("history", ({ channel }) => state.place.id === channel && showSoon());
on("redraw", showSoon);
on("language", () => (state.place.kind === "home" ? renderHome() : renderPlace()));

/** Focus the composer, except on a phone, where that would open the keyboard. */
export function focusComposer() {
  if (!isPhone()) root.querySelector("textarea")?.focus();
}
