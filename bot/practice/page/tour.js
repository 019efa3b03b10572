// The card of first steps: ask, correct, train, ask again. The program that opened the workspace answers /tour, and says
// which steps are done; where it has no such address, there is no card.

import { post } from "./api.js";
import { el, icon } from "./dom.js";
import { personUrl } from "./people.js";
import { emit, nameOf, on, state } from "./store.js";
import { toast } from "./toast.js";
import { language, t } from "./words.js";

const STEPS = ["asked", "corrected", "trained", "asked_again"];
const QUESTIONS = [1, 2, 3];
const HIDDEN = "tour/hidden";
const CHOSEN = "tour/question";
const REFRESH_MS = 300;
const box = document.getElementById("tour");
let progress = null;

const current = () => STEPS.find((step) => !progress[step]);
const isHidden = () => localStorage.getItem(HIDDEN) !== null;
const channel = () => [...state.channels.values()].find((one) => !one.is_im && !one.is_private)?.id;

/** Return whether there are first steps, and the person has put them away. */
export const tourIsHidden = () => Boolean(progress) && isHidden();

async function ask(question, text) {
  localStorage.setItem(CHOSEN, question);
  const sent = await post("messages", { channel: channel(), text });
  if (sent.ok) location.hash = `#${channel()}/${sent.ts}`;
}

async function train() {
  location.hash = `#${channel()}`;
  await post("commands", { channel: channel(), text: progress.train_command });
}

async function fill(event) {
  event.currentTarget.setAttribute("aria-busy", "true");
  const answer = await fetch("/tour/fill", { method: "POST" }).catch(() => null);
  if (answer?.ok) progress = await answer.json();
  else toast(t("error_unreachable"));
  render();
}

function hide(hidden) {
  if (hidden) localStorage.setItem(HIDDEN, "yes");
  else localStorage.removeItem(HIDDEN);
  render();
  emit("tour");
}

export function reopenTour() {
  hide(false);
  box.querySelector("button")?.focus();
}

const button = (name, label, onclick, style = "") =>
  el("button", { type: "button", class: `button ${style}`, "data-testid": `tour-${name}`, "data-spot": name, onclick }, label);

/** Create the button that changes to somebody of this role who speaks the page's language. */
function continueAs(role) {
  const able = [...state.people.values()].filter((one) => one.role === role);
  const person = able.find((one) => one.locale?.startsWith(language())) ?? able[0];
  const change = () => location.assign(personUrl(person.id));
  return person && button(`as-${role}`, t("tour_as", nameOf(person), t(`role_${role}`)), change, "primary");
}

function askButtons(questions, key) {
  return questions.map((number) => {
    const text = t(`${key}_${number}`);
    return button(`${key.slice(5)}-${number}`, text, () => ask(number, text), "chip-button");
  });
}

const fillButton = () =>
  progress.fillable && progress.examples < 60 ? button("fill", t("tour_fill"), fill) : el("span", { class: "soft" }, t("tour_examples", progress.examples));

const SAYS = {
  asked: () => [t("tour_say_ask"), askButtons(QUESTIONS, "tour_ask")],
  corrected: () =>
    state.me.role === "staff" ? [t("tour_say_correct"), []] : [t("tour_say_staff"), [continueAs("staff")]],
  trained() {
    if (progress.training) return [t("tour_training"), []];
    if (state.me.role !== "admin") return [t("tour_say_admin"), [fillButton(), continueAs("admin")]];
    return [t("tour_say_train"), [fillButton(), button("train", t("tour_train"), train, "primary")]];
  },
  asked_again() {
    const chosen = QUESTIONS.filter((number) => String(number) === localStorage.getItem(CHOSEN));
    return [t("tour_say_again"), askButtons(chosen, "tour_again")];
  },
};

function stepItem(step, at) {
  const mark = progress[step] ? icon("check") : el("span", { class: "number", "aria-hidden": "true" }, String(at + 1));
  const note = progress[step] && el("span", { class: "unseen" }, t("tour_done_mark"));
  const props = { class: progress[step] ? "done" : null, "aria-current": step === current() ? "step" : null };
  return el("li", props, mark, t(`tour_step_${step}`), note);
}

function render() {
  const spot = box.contains(document.activeElement) ? document.activeElement.dataset.spot : null;
  box.hidden = !progress || !state.me || isHidden();
  if (box.hidden) return box.replaceChildren();
  box.setAttribute("aria-label", t("tour_title"));
  const [words, buttons] = current() ? SAYS[current()]() : [t("tour_end"), []];
  const close = button("skip", current() ? t("tour_skip") : t("close"), () => hide(true), "quiet");
  box.replaceChildren(
    el("div", { class: "tour-head" }, el("ol", {}, STEPS.map(stepItem)), close),
    el("p", { role: "status" }, words),
    el("div", { class: "tour-buttons" }, buttons),
  );
  if (spot) (box.querySelector(`[data-spot="${CSS.escape(spot)}"]`) ?? close).focus();
}

let waiting = false;
function refreshSoon() {
  if (waiting || (progress && (isHidden() || !current()))) return;
  waiting = true;
  setTimeout(async () => {
    waiting = false;
    const answer = await fetch("/tour").catch(() => null);
    if (!answer?.ok) return;
    progress = await answer.json();
    render();
    emit("tour");
  }, REFRESH_MS);
}

["hello", "connection", "history", "thread"].forEach((topic) => on(topic, refreshSoon));
on("language", render);
