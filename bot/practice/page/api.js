// The page's requests. Each answer has "ok"; what failed is told to the person once, here.

import { state } from "./store.js";
import { toast } from "./toast.js";
import { t, has } from "./words.js";

async function answerOf(request) {
  try {
    const response = await request;
    return await response.json();
  } catch {
    return { ok: false, error: "unreachable" };
  }
}

function tell(answer) {
  if (!answer.ok && !answer.errors)
    toast(has(`error_${answer.error}`) ? t(`error_${answer.error}`) : (answer.text ?? answer.error));
  return answer;
}

/** Act as the present person; failures show as a toast, but for the errors of a form, which the form shows. */
export async function post(path, body = {}) {
  const request = fetch(`/page/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ user: state.me.id, ...body }),
  });
  return tell(await answerOf(request));
}

export async function get(path, query) {
  return tell(await answerOf(fetch(`/page/${path}?${new URLSearchParams({ user: state.me.id, ...query })}`)));
}
