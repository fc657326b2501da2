// The page that waits for a lab: shows what the hub reports, goes on when the lab is ready, and says so when it is not.
"use strict";
(function () {
  const page = document.getElementById("pending");
  const bar = document.getElementById("bar");
  const now = document.getElementById("now");
  const stop = document.getElementById("stop");
  const events = new EventSource(page.dataset.progress);

  // Reports come as "中文 · English"; a report in one language is shown as it is.
  function side(text) {
    const halves = text.split(" · ");
    return halves.length === 2 ? halves[page.dataset.side === "zh_CN" ? 0 : 1] : text;
  }

  events.onmessage = function (event) {
    const report = JSON.parse(event.data);
    if (report.progress !== undefined) bar.value = report.progress;
    if (report.ready) {
      events.close();
      now.textContent = page.dataset.ready;
      window.location.reload();
    } else if (report.failed) {
      events.close();
      now.textContent = page.dataset.failed;
      // The page that answers now knows why; give a screen reader the time to say that it failed.
      setTimeout(() => window.location.reload(), 1500);
    } else if (report.message) {
      now.textContent = side(report.message);
    }
  };
  events.onerror = function () {
    if (events.readyState !== EventSource.CLOSED) now.textContent = page.dataset.lost;
  };

  stop.hidden = false;
  stop.addEventListener("click", async function () {
    stop.disabled = true;
    events.close();
    const address = page.dataset.stop + "?_xsrf=" + encodeURIComponent(page.dataset.xsrf);
    await fetch(address, { method: "DELETE" });
    window.location.assign(page.dataset.home);
  });
})();
