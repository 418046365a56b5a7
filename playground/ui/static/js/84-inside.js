// The panel that looks inside an answer: it opens, asks the server one thing at a time, and has three tabs.
// Every part gets the same `panel`: what is looked at, and `ask(kind, data)`, which gives the server's answer. `told` is
// set once it is known that the model runs elsewhere: its tokens are as its server told them, and nothing goes on from
// them.
(() => {
  const { el, icon, iconButton, word, announce } = playground;
  const TABS = ["tokens", "next", "prompt"];
  const PATIENCE = 60000; // milliseconds: the model may have to be loaded first
  const parts = (playground.insideParts = {});
  const panel = { id: null, place: 0, chosen: [], trigger: null, views: {}, tab: "tokens", told: false };
  let dialog, subtitle, tickets = 0, waiting = null, line = [];

  // Answers come back as the value of one component, so there is one question on its way at a time. Of questions of
  // one kind that still wait only the last is asked.
  const pump = () => {
    if (waiting || !line.length) return;
    const asked = (waiting = line.shift());
    asked.ticket = `t${++tickets}`;
    asked.timer = setTimeout(() => waiting === asked && settle({ error: word("inside.lost"), lost: true }), PATIENCE);
    panel.trigger(asked.kind, { ...asked.data, id: asked.id, ticket: asked.ticket });
  };
  const settle = (value) => {
    const { answer, id, timer } = waiting;
    clearTimeout(timer);
    waiting = null;
    if (value.told) panel.told = true;
    answer(id === panel.id ? value : null);
    pump();
  };
  panel.ask = (kind, data = {}) =>
    new Promise((answer) => {
      for (const old of line.filter((one) => one.kind === kind)) old.answer(null);
      line = line.filter((one) => one.kind !== kind);
      line.push({ kind, data, id: panel.id, answer });
      pump();
    });
  const receive = (value) => value.ticket === waiting?.ticket && settle(value);

  [panel.glyph, panel.spoken] = [playground.tokenGlyph, playground.tokenSpoken];
  panel.bar = (parts) => {
    const box = el("span", "inside-bar");
    box.setAttribute("aria-hidden", "true");
    for (const [className, part] of parts) {
      const fill = el("i", className);
      fill.style.setProperty("--part", part);
      box.append(fill);
    }
    return box;
  };
  panel.status = (body, text, kind = "") => {
    const line = el("p", `inside-status ${kind}`, text);
    body.replaceChildren(line);
    if (kind) announce(text);
  };
  // What went wrong, where its content would be; what got no answer can be asked for again. That a model on a server
  // does not tell everything is no error.
  panel.fail = (body, { error, lost, told }, again) => {
    panel.status(body, error, told ? "inside-told" : "inside-error");
    if (!lost) return;
    const retry = el("button", "btn btn-small inside-again", icon("retry", 16), word("message.again"));
    retry.addEventListener("click", () => {
      document.getElementById(`inside-tab-${panel.tab}`).focus();
      again();
    });
    body.append(retry);
  };
  // Shows that something is computed, then what came of it; null when something else is looked at by now. `told` is the
  // sentence for a model that runs elsewhere.
  panel.load = async (body, kind, again, told = "") => {
    panel.status(body, word("inside.loading"));
    const value = await panel.ask(kind);
    if (!value?.error) return value;
    panel.fail(body, value.told && told ? { ...value, error: told } : value, again);
    return null;
  };
  panel.branch = (place, chosen) => {
    panel.trigger("branch", { id: panel.id, place, chosen });
    dialog.close();
    playground.focusComposer();
  };
  panel.show = (name, focus = true) => {
    panel.tab = name;
    for (const one of TABS) {
      const tab = document.getElementById(`inside-tab-${one}`);
      tab.setAttribute("aria-selected", String(one === name));
      tab.tabIndex = one === name ? 0 : -1;
      document.getElementById(`inside-${one}`).hidden = one !== name;
      if (focus && one === name) tab.focus();
    }
    panel.views[name].open();
  };

  playground.lookInside = (id, model, tab = "tokens") => {
    Object.assign(panel, { id, place: 0, chosen: [], told: false });
    [waiting, line] = [null, []]; // whatever was asked about another answer
    for (const view of Object.values(panel.views)) view.reset();
    subtitle.textContent = word("inside.subtitle", { model });
    dialog.showModal();
    panel.show(tab);
  };

  const tabList = () => {
    const list = el("div", "inside-tabs");
    list.setAttribute("role", "tablist");
    list.setAttribute("aria-label", word("inside.tabs"));
    for (const name of TABS) {
      const tab = el("button", "inside-tab", word(`inside.tab_${name}`));
      tab.id = `inside-tab-${name}`;
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", `inside-${name}`);
      tab.addEventListener("click", () => panel.show(name));
      list.append(tab);
    }
    list.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      panel.show(TABS[(TABS.indexOf(panel.tab) + step + TABS.length) % TABS.length]);
    });
    return list;
  };

  playground.islands.inside = (element, trigger) => {
    panel.trigger = trigger;
    dialog = el("dialog", "dialog inside");
    dialog.id = "inside-dialog";
    dialog.setAttribute("aria-label", word("inside.title"));
    subtitle = el("p", "dialog-subtitle");
    const close = iconButton("close", word("dialog.close"), () => dialog.close());
    const titles = el("div", "dialog-titles", el("h2", "", word("inside.title")), subtitle);
    dialog.append(el("div", "dialog-head", titles, close), tabList());
    for (const name of TABS) {
      const body = el("div", "inside-body");
      body.id = `inside-${name}`;
      body.tabIndex = 0;
      body.setAttribute("role", "tabpanel");
      body.setAttribute("aria-labelledby", `inside-tab-${name}`);
      body.hidden = true;
      panel.views[name] = parts[name](body, panel);
      dialog.append(body);
    }
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    element.append(dialog);
    return receive;
  };
})();
