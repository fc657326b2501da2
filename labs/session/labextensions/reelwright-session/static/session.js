// Shows in JupyterLab's top bar when the lab ends and what it costs; gives notice, and saves the work before the end.
// A module federation container written by hand: JupyterLab loads it, shares its own packages, and asks for the plugin.
"use strict";

(() => {
  const EVERY_MS = 30_000;
  const SAVE_BEFORE_MS = 90_000;
  const WORDS = {
    zh: {
      left: (time) => `剩余 ${time}`,
      cost: (yuan) => `已用 ¥${yuan}`,
      hours: (h, m) => `${h} 小时 ${m} 分`,
      minutes: (m) => `${m} 分`,
      idle: (m) => `约 ${m} 分钟后停止：一段时间没有人使用此实验环境。`,
      longest: (m) => `约 ${m} 分钟后停止：已达单次最长使用时间。`,
      saved: "已打开的文件会在停止前自动保存。",
      go_on: "继续使用",
      alert: (percent) => `算力额度已用 ${percent}%。需要更多额度请联系教师。`,
      used_up: "算力额度已用完：此实验环境可用到本次结束，之后不能再启动；需要更多额度请联系教师。",
      unknown: "剩余时间未知",
      away: "暂时连不上平台，无法得知剩余时间",
      title: (end, left) => `本次使用将于 ${end} 结束；额度还剩 ¥${left}`,
    },
    en: {
      left: (time) => `${time} left`,
      cost: (yuan) => `¥${yuan} so far`,
      hours: (h, m) => `${h} h ${m} min`,
      minutes: (m) => `${m} min`,
      idle: (m) => `Stops in about ${m} min: nobody has used this lab for a while.`,
      longest: (m) => `Stops in about ${m} min: the longest session is over.`,
      saved: "Open files are saved before that.",
      go_on: "Keep working",
      alert: (percent) => `${percent}% of the compute allowance is used. Ask your instructor if you need more.`,
      used_up: "The compute allowance is used up: this lab runs on to its end, and no other starts. Ask your instructor for more.",
      unknown: "Time left unknown",
      away: "The platform cannot be reached, so the time left is not known",
      title: (end, left) => `This session ends at ${end}; ¥${left} of the allowance is left`,
    },
  };

  let scope;

  async function shared(name) {
    const versions = Object.values(scope[name] ?? {});
    if (!versions.length) throw new Error(`JupyterLab shares no ${name}`);
    return (await versions[0].get())();
  }

  function yuan(micro) {
    return (micro / 1e6).toFixed(2);
  }

  function span(words, ms) {
    const minutes = Math.max(0, Math.floor(ms / 60_000));
    return minutes < 60 ? words.minutes(minutes) : words.hours(Math.floor(minutes / 60), minutes % 60);
  }

  class SessionBar {
    constructor(app, node, { ServerConnection, URLExt, Notification }) {
      Object.assign(this, { app, node, ServerConnection, Notification });
      this.settings = ServerConnection.makeSettings();
      this.url = URLExt.join(this.settings.baseUrl, "reelwright/session");
      this.touched = Date.now();
      this.words = document.documentElement.lang.startsWith("zh") ? WORDS.zh : WORDS.en;
      this.notice = null;
      this.isSaved = false;
      for (const kind of ["keydown", "pointerdown", "pointermove", "wheel"]) {
        document.addEventListener(kind, () => (this.touched = Date.now()), { capture: true, passive: true });
      }
      window.addEventListener("focus", () => this.ask());
      setInterval(() => this.ask(), EVERY_MS);
      setInterval(() => this.show(), 1000);
      this.ask();
    }

    async ask() {
      const untouched = Math.max(0, Math.floor((Date.now() - this.touched) / 1000));
      const body = JSON.stringify({ untouched_seconds: untouched });
      try {
        const answer = await this.ServerConnection.makeRequest(this.url, { method: "POST", body }, this.settings);
        if (!answer.ok) throw new Error(`status ${answer.status}`);
        const told = await answer.json();
        this.words = WORDS[told.locale] ?? WORDS.en;
        // Both times are the platform's: this machine's clock may be wrong.
        this.ends = Date.now() + (told.ends_us - told.now_us) / 1000;
        this.told = told;
      } catch {
        this.told = null;
      }
      this.show();
    }

    show() {
      const { words, told } = this;
      if (!told) {
        this.say(words.unknown, words.away, false);
        return;
      }
      const left = this.ends - Date.now();
      const cost = told.cost_uy === null ? "" : ` · ${words.cost(yuan(told.cost_uy))}`;
      const end = new Date(this.ends).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
      this.say(words.left(span(words, left)) + cost, words.title(end, yuan(told.left_uy)), told.is_noticed);
      this.notify(told, left);
      this.alert(told);
      if (told.is_noticed && left < SAVE_BEFORE_MS && !this.isSaved) {
        this.isSaved = true;
        this.app.commands.execute("docmanager:save-all").catch(() => (this.isSaved = false));
      }
    }

    say(text, title, isNoticed) {
      const shown = (isNoticed ? "⚠ " : "") + text;
      if (this.node.textContent !== shown) this.node.textContent = shown;
      this.node.title = title;
      this.node.classList.toggle("is-noticed", isNoticed);
    }

    notify(told, left) {
      if (!told.is_noticed) {
        if (this.notice) this.Notification.dismiss(this.notice);
        this.notice = null;
        this.isSaved = false;
        return;
      }
      if (this.notice) return;
      const { words } = this;
      const text = `${words[told.why](Math.max(1, Math.floor(left / 60_000)))} ${words.saved}`;
      const goOn = { label: words.go_on, displayType: "accent", callback: () => this.goOn() };
      this.notice = this.Notification.warning(text, { autoClose: false, actions: told.why === "idle" ? [goOn] : [] });
    }

    // Each level once a session, however often the page is loaded again.
    alert(told) {
      const key = `reelwright-alerted-${told.started_us}`;
      if (!told.alert || Number(sessionStorage.getItem(key)) >= told.alert) return;
      sessionStorage.setItem(key, told.alert);
      const { words } = this;
      this.Notification.warning(told.alert >= 100 ? words.used_up : words.alert(told.alert), { autoClose: false });
    }

    goOn() {
      this.touched = Date.now();
      this.ask();
    }
  }

  async function plugin() {
    const [apputils, services, coreutils, widgets] = await Promise.all(
      ["@jupyterlab/apputils", "@jupyterlab/services", "@jupyterlab/coreutils", "@lumino/widgets"].map(shared),
    );
    return {
      id: "reelwright-session:bar",
      description: "Shows when the lab ends and what it costs.",
      autoStart: true,
      activate: (app) => {
        const widget = new widgets.Widget();
        widget.id = "reelwright-session";
        widget.node.setAttribute("role", "timer");
        widget.node.style.cssText = "padding:0 12px;line-height:28px;white-space:nowrap;font-variant-numeric:tabular-nums";
        app.shell.add(widget, "top", { rank: 1000 });
        const parts = {
          ServerConnection: services.ServerConnection,
          URLExt: coreutils.URLExt,
          Notification: apputils.Notification,
        };
        // JupyterLab shows no notification that came before it was all there: a page opened near the end would say nothing.
        app.restored.then(() => new SessionBar(app, widget.node, parts));
      },
    };
  }

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB["reelwright-session"] = {
    init: async (shareScope) => {
      scope = shareScope;
    },
    get: async (module) => {
      if (module !== "./extension") throw new Error(`reelwright-session has no ${module}`);
      const made = await plugin();
      return () => ({ __esModule: true, default: made });
    },
  };
})();
