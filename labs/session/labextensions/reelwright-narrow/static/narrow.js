// On a narrow screen, a phone's, the notebook has the whole width: side bars and status bar give way until it is wide.
// A module federation container written by hand: JupyterLab loads it and asks for the plugin.
"use strict";

(() => {
  const NARROW = "(max-width: 700px)";
  const HIDDEN = "reelwright-narrow-hidden";
  const STYLE = `@media ${NARROW} {
    :root { --jp-cell-prompt-width: 28px; --jp-cell-padding: 2px; --jp-notebook-padding: 4px; }
    .jp-InputPrompt, .jp-OutputPrompt { font-size: 10px; padding: 4px 0; }
    .jp-RenderedHTMLCommon table { table-layout: auto; width: 100%; margin-left: 0; }
    .jp-RenderedHTMLCommon :is(td, th) { white-space: normal; overflow-wrap: anywhere; min-width: 5.5em; }
    .jp-RenderedHTMLCommon h1 { font-size: 1.5em; }
    .jp-RenderedHTMLCommon h2 { font-size: 1.25em; }
    .jp-RenderedHTMLCommon code { overflow-wrap: anywhere; }
    .jp-RenderedHTMLCommon :is(video, figure) { max-width: 100%; }
    .jp-NotebookPanel-toolbar { flex-wrap: nowrap; overflow-x: auto; }
    #jp-MainLogo { display: none; }
    #jp-menu-panel { overflow-x: auto; }
    .lm-MenuBar-item { flex: none; padding: 0 6px; }
    /* The menus take the whole top; the time left stays in sight at the foot, where the status bar was. */
    #reelwright-session { position: fixed; right: 0; bottom: 0; z-index: 100; font-size: 11px; line-height: 22px;
      border-radius: 4px 0 0; background: var(--jp-layout-color2); }
  }`;
  const BARS = [
    ["application:toggle-side-tabbar", { side: "left" }],
    ["application:toggle-side-tabbar", { side: "right" }],
    ["statusbar:toggle", {}],
  ];

  async function narrow({ shell, commands }) {
    shell.collapseLeft();
    shell.collapseRight();
    const shown = BARS.filter(([name, args]) => commands.hasCommand(name) && commands.isToggled(name, args));
    for (const [name, args] of shown) await commands.execute(name, args);
    // Kept apart from the workspace, which would go on hiding them on the learner's next, wider screen.
    const hidden = new Set([...JSON.parse(localStorage.getItem(HIDDEN) ?? "[]"), ...shown.map((bar) => BARS.indexOf(bar))]);
    localStorage.setItem(HIDDEN, JSON.stringify([...hidden]));
  }

  async function wide({ commands }) {
    const hidden = JSON.parse(localStorage.getItem(HIDDEN) ?? "[]").map((place) => BARS[place]);
    localStorage.removeItem(HIDDEN);
    for (const [name, args] of hidden) if (!commands.isToggled(name, args)) await commands.execute(name, args);
  }

  const plugin = {
    id: "reelwright-narrow:screen",
    description: "Gives a narrow screen to the notebook.",
    autoStart: true,
    activate: (app) => {
      const style = document.createElement("style");
      style.textContent = STYLE;
      document.head.append(style);
      const screen = window.matchMedia(NARROW);
      const fit = () => (screen.matches ? narrow(app) : wide(app));
      app.restored.then(fit);
      screen.addEventListener("change", fit);
    },
  };

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB["reelwright-narrow"] = {
    init: async () => {},
    get: async (module) => {
      if (module !== "./extension") throw new Error(`reelwright-narrow has no ${module}`);
      return () => ({ __esModule: true, default: plugin });
    },
  };
})();
