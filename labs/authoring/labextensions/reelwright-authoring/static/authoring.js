// Puts "Send to the course" above notebooks of labs in the making; saves first, and asks before it replaces others' work.
// A module federation container written by hand: JupyterLab loads it, shares its own packages, and asks for the plugin.
"use strict";

(() => {
  const FOLDER = /^authoring\/([^/]+)\/([^/]+)\/\2\.ipynb$/;
  const WORDS = {
    zh: {
      send: "送回课程",
      title: "保存，并把这个实验的全部文件送回课程",
      sent: "已送回课程。请在实验页面检查和发布。",
      left: (names) => `没有送回的文件：${names}`,
      page: "打开实验页面",
      moved: "有人在此期间送回了另一个版本",
      replace: "用我的版本替换",
      keep: "先不替换",
      failed: "没有送回",
    },
    en: {
      send: "Send to the course",
      title: "Save, and send all files of this lab back to the course",
      sent: "Sent to the course. Check and release it on the lab's page.",
      left: (names) => `Not sent: ${names}`,
      page: "Open the lab's page",
      moved: "Somebody sent another version meanwhile",
      replace: "Replace it by mine",
      keep: "Not now",
      failed: "It was not sent",
    },
  };

  let scope;

  async function shared(name) {
    const versions = Object.values(scope[name] ?? {});
    if (!versions.length) throw new Error(`JupyterLab shares no ${name}`);
    return (await versions[0].get())();
  }

  class SendButton {
    constructor({ apputils, services, coreutils }, words) {
      Object.assign(this, { apputils, services, coreutils, words });
    }

    createNew(panel, context) {
      const found = FOLDER.exec(context.path);
      if (!found) return;
      const [, course, lab] = found;
      const button = new this.apputils.ToolbarButton({
        label: this.words.send,
        tooltip: this.words.title,
        onClick: () => this.send(context, course, lab, false),
      });
      panel.toolbar.insertItem(0, "reelwright-send", button);
      return button;
    }

    async send(context, course, lab, replace) {
      const { Notification } = this.apputils;
      try {
        if (context.model.dirty) await context.save();
        const settings = this.services.ServerConnection.makeSettings();
        const url = this.coreutils.URLExt.join(settings.baseUrl, "reelwright/draft", course, lab);
        const body = JSON.stringify({ replace });
        const answer = await this.services.ServerConnection.makeRequest(url, { method: "POST", body }, settings);
        const told = await answer.json();
        if (answer.status === 409 && !replace) return this.ask(context, course, lab, told.message);
        if (!answer.ok) throw new Error(told.message);
        const left = told.left_out.length ? ` ${this.words.left(told.left_out.join(", "))}` : "";
        const open = { label: this.words.page, callback: () => window.open(told.page, "_blank", "noopener") };
        Notification.success(this.words.sent + left, { autoClose: 10_000, actions: [open] });
      } catch (error) {
        Notification.error(`${this.words.failed}: ${error.message}`, { autoClose: false });
      }
    }

    async ask(context, course, lab, message) {
      const { Dialog, showDialog } = this.apputils;
      const buttons = [Dialog.cancelButton({ label: this.words.keep }), Dialog.warnButton({ label: this.words.replace })];
      const chosen = await showDialog({ title: this.words.moved, body: message, buttons });
      if (chosen.button.accept) await this.send(context, course, lab, true);
    }
  }

  async function plugin() {
    const [apputils, services, coreutils] = await Promise.all(
      ["@jupyterlab/apputils", "@jupyterlab/services", "@jupyterlab/coreutils"].map(shared),
    );
    return {
      id: "reelwright-authoring:send",
      description: "Sends a lab in the making back to its course.",
      autoStart: true,
      activate: (app) => {
        const words = document.documentElement.lang.startsWith("zh") ? WORDS.zh : WORDS.en;
        app.docRegistry.addWidgetExtension("Notebook", new SendButton({ apputils, services, coreutils }, words));
      },
    };
  }

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB["reelwright-authoring"] = {
    init: async (shareScope) => {
      scope = shareScope;
    },
    get: async (module) => {
      if (module !== "./extension") throw new Error(`reelwright-authoring has no ${module}`);
      const made = await plugin();
      return () => ({ __esModule: true, default: made });
    },
  };
})();
