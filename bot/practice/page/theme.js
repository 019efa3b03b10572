// Light or dark theme. It follows the system until the person chooses; this browser remembers the choice.

const KEY = "theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

const current = () => localStorage.getItem(KEY) ?? (dark.matches ? "dark" : "light");

function apply() {
  document.documentElement.dataset.theme = current();
}

export function startTheme() {
  apply();
  dark.addEventListener("change", apply);
}

export function toggleTheme() {
  localStorage.setItem(KEY, current() === "dark" ? "light" : "dark");
  apply();
}
