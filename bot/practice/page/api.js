// Requests to the server. Each answer has "ok". Only this module shows failed requests to the person.

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

function report(answer) {
  if (!answer.ok && !answer.errors)
    toast(has(`error_${answer.error}`) ? t(`error_${answer.error}`) : (answer.text ?? answer.error));
  return answer;
}

/** Post as the current person. A failure shows a toast; the form itself shows the errors of a form. */
export async function post(path, body = {}) {
  const request = fetch(`/page/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ user: state.me.id, ...body }),
  });
  return report(await answerOf(request));
}

export async function get(path, query) {
  return report(await answerOf(fetch(`/page/${path}?${new URLSearchParams({ user: state.me.id, ...query })}`)));
}
