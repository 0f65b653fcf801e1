"use strict";

// Airflow keeps its light or dark mode as a class on its own page, around this frame.
const host = window.parent === window ? null : window.parent.document.documentElement;

function followTheme() {
  const theme = ["dark", "light"].find((name) => host.classList.contains(name));
  if (theme) document.documentElement.dataset.theme = theme;
}

if (host) {
  followTheme();
  new MutationObserver(followTheme).observe(host, { attributeFilter: ["class"] });
}

// The content is replaced in place, so that the filter, the focus and the place on the page stay.
function show(next) {
  const content = document.getElementById("content");
  const focused = content.contains(document.activeElement) && document.activeElement.getAttribute("href");
  content.replaceWith(next);
  if (focused) next.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

async function refresh() {
  const pulse = document.querySelector(".pulse");
  try {
    const answer = await fetch(location.href, { credentials: "same-origin" });
    const next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("content");
    if (next && getSelection().isCollapsed) show(next);
    pulse.hidden = true;
  } catch {
    pulse.hidden = false;
  }
}

addEventListener("DOMContentLoaded", () => {
  const seconds = Number(document.body.dataset.refresh);
  if (seconds) setInterval(() => document.hidden || refresh(), seconds * 1000);
});
