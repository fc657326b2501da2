// Fetches a part of the page again, as the server renders it, until the server no longer asks for that.
"use strict";

const PAUSE_MS = 2000;

async function refresh(part) {
  const answer = await fetch(part.dataset.refresh, { credentials: "same-origin", redirect: "error" });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById(part.id);
  if ("reload" in fresh.dataset) location.reload(); // what was waited for changes the rest of the page too
  if (fresh.innerHTML === part.innerHTML) return part;
  const news = document.getElementById(`${part.id}-news`);
  if (news && fresh.dataset.says !== part.dataset.says) news.textContent = fresh.dataset.says;
  part.replaceWith(fresh);
  return fresh;
}

async function keepFresh(part) {
  let pause = PAUSE_MS;
  while (part.dataset.refresh) {
    await new Promise((resume) => setTimeout(resume, pause));
    if (document.hidden) continue;
    try {
      part = await refresh(part);
      pause = PAUSE_MS;
    } catch {
      pause = Math.min(pause * 2, 30000); // the server may be restarting; the link to refresh by hand stays
    }
  }
}

document.querySelectorAll("[data-refresh]").forEach(keepFresh);
