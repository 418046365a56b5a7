// Grading a batch: the bar above the two answers (how far, the question, skip, undo), and what stands there at the end.
(() => {
  const { el, icon, word } = playground;
  const state = { frame: null, value: null, stage: null, trigger: null, sent: "", undone: null, said: "", phase: "", opened: "", listed: false };
  const FIRST = { desk: ".desk-title", grading: ".queue-question", end: ".queue-end h2", looking: "#queue-results" };
  const pair = () => state.stage?.comparison ?? "";

  // Every step names the pair it is about, and each pair gets one: a key pressed twice does not reach the next one.
  const step = (kind, more = {}) => {
    if (state.value?.phase !== "grading" || !pair() || [state.sent, state.undone].includes(pair())) return;
    state.sent = pair();
    state.trigger(kind, { pair: pair(), ...more });
    setTimeout(() => (state.sent = ""), 2000); // an error leaves all as it was
  };
  playground.gradePair = (winner) => step("grade", { winner });
  const may = (name) => state.value?.may.includes(name);
  const undo = () => {
    if (!may("undo") || state.undone === pair() || (state.sent && state.sent === pair())) return;
    state.undone = pair();
    state.trigger("undo", { pair: pair() });
    setTimeout(() => (state.undone = null), 2000); // an error leaves all as it was
  };

  const button = (label, onClick, options = {}) => {
    const node = el("button", `btn btn-small ${options.className ?? ""}`, options.icon ? icon(options.icon, 16) : "", el("span", "", label));
    if (options.key) {
      const key = el("kbd", "", options.key.toUpperCase());
      key.setAttribute("aria-hidden", "true");
      node.append(key);
      node.setAttribute("aria-keyshortcuts", options.key);
    }
    if (options.hint) node.title = options.hint;
    if (options.id) node.id = options.id;
    node.addEventListener("click", onClick);
    return node;
  };
  playground.enterDuel = (id) => state.trigger("enter", { id });
  const leave = () => button(word("duels.back"), () => state.trigger("leave", {}), { icon: "left", id: "queue-leave" });

  playground.meter = (fraction, label) => {
    const bar = el("div", "meter");
    bar.style.setProperty("--done", String(fraction));
    bar.setAttribute("role", "progressbar");
    bar.setAttribute("aria-label", label);
    bar.setAttribute("aria-valuenow", String(Math.round(fraction * 100)));
    return bar;
  };
  const meter = ({ place, fraction }) => el("div", "queue-meter", el("strong", "queue-place", place), playground.meter(fraction, place));

  const question = (text) => {
    const box = el("div", "queue-question", el("span", "queue-label", word("duels.question")), el("p", "", text));
    box.tabIndex = 0; // a long one can be scrolled by keyboard
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", word("duels.question"));
    return box;
  };

  const bar = (value) => {
    const tools = el("div", "queue-tools");
    if (may("reveal")) tools.append(button(word("duels.reveal"), () => state.trigger("reveal", {}), { hint: word("duels.reveal_hint"), id: "queue-reveal", className: "quietly" }));
    if (may("undo")) tools.append(button(word("duels.undo"), undo, { icon: "retry", key: "u", id: "queue-undo", className: "mirrored" }));
    if (may("skip")) tools.append(button(word("duels.skip"), () => step("skip"), { icon: "right", key: "s", id: "queue-skip" }));
    return el("div", "queue-bar", leave(), meter(value), tools);
  };

  const scores = (value) => {
    const table = el("table", "", el("caption", "visually-hidden", word("duels.scores")));
    const cell = (tag, text, at) => {
      const node = el(tag, at ? "figure" : "", text);
      if (tag === "th") node.scope = at === null ? "row" : "col";
      return node;
    };
    const head = el("tr", "", ...value.head.map((name, at) => cell("th", name, at)));
    const rows = value.scores.map(([name, ...counts]) => el("tr", "", cell("th", name, null), ...counts.map((count, at) => cell("td", count, at + 1))));
    table.append(el("thead", "", head), el("tbody", "", ...rows));
    const box = el("div", "table", table);
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", word("duels.scores"));
    return el("section", "board-part", el("h3", "", word("duels.scores")), box);
  };

  const line = (one) => {
    const name = (at, letter) => el("span", `line-name ${one.winner === letter ? "won" : ""}`, playground.sideBadge(letter.toUpperCase()), one.names[at]);
    const open = el("button", "line", el("span", "line-title", one.title), el("span", "line-names", name(0, "a"), name(1, "b")), el("span", "line-vote", one.vote), icon("right", 16));
    open.setAttribute("aria-label", `${word("duels.look", { title: one.title })} ${one.names.join(", ")}: ${one.vote}`);
    open.dataset.pair = one.id;
    open.addEventListener("click", () => {
      state.opened = one.id;
      state.trigger("look", { id: one.id });
    });
    return el("li", "", open);
  };

  const lines = (value) => {
    const list = el("ul", "lines", ...value.lines.map(line));
    return el("section", "board-part", el("h3", "", word("duels.lines")), value.cut ? el("p", "quiet", value.cut) : "", list);
  };

  const end = (value) => {
    const title = el("h2", "", value.title);
    title.tabIndex = -1;
    const box = el("div", "queue-end", title, el("p", "queue-end-text", value.text));
    const tools = el("div", "queue-end-tools");
    if (may("reveal")) tools.append(button(word("duels.reveal"), () => state.trigger("reveal", {}), { id: "queue-reveal", className: "btn-primary", hint: word("duels.reveal_hint") }));
    if (may("next")) tools.append(button(word("duels.next", { count: playground.number(value.rest) }), () => playground.enterDuel(state.stage.duel), { icon: "right", id: "queue-next", className: may("reveal") ? "" : "btn-primary" }));
    if (may("undo")) tools.append(button(word("duels.undo"), undo, { icon: "retry", key: "u", id: "queue-undo", className: "mirrored" }));
    if (value.scores.length) tools.append(button(word("duels.board"), () => document.getElementById("tab-board").click(), { id: "queue-board" }));
    box.append(meter(value), tools);
    if (value.scores.length) box.append(scores(value), lines(value));
    return [el("div", "queue-bar", leave()), box];
  };

  const looking = () => el("div", "queue-bar", button(word("duels.results_back"), () => state.trigger("results", {}), { icon: "left", id: "queue-results" }));

  const notice = (value) => (value.notice ? [playground.noticeCard(value.notice, [], null, null)] : []);

  const PARTS = {
    desk: (value) => notice(value),
    grading: (value) => [bar(value), question(value.question)],
    end: (value) => [...notice(value), ...end(value)],
    looking: (value) => [looking(), question(value.question)],
  };

  // Where a phase is read on from: back from a pair, at its line.
  const beginning = (phase) => {
    const line = phase === "end" && state.opened && document.querySelector(`.line[data-pair="${state.opened}"]`);
    return line || document.querySelector(FIRST[phase]);
  };

  const draw = () => {
    const { frame, value } = state;
    if (!frame || !value) return;
    const had = frame.contains(document.activeElement) ? document.activeElement.id : "";
    document.documentElement.dataset.phase = value.phase;
    frame.replaceChildren(...PARTS[value.phase](value));
    if (had) (document.getElementById(had) ?? beginning(value.phase))?.focus();
  };

  // What is new is told once: the pair that is on, or how the batch ended.
  const tell = () => {
    const { value, stage } = state;
    const undone = state.undone !== null && state.undone !== pair() ? `${word("duels.said_undone")} ` : "";
    const news = undone + (value.phase === "grading" ? word("duels.said_pair", { at: value.place, question: value.question }) : value.phase === "end" ? `${value.title} ${value.text}` : "");
    if (undone) state.undone = null;
    const about = `${value.phase} ${stage.comparison} ${value.place} ${value.title}`;
    if (news && stage.tab === "duels" && state.said !== about) playground.announce(news);
    state.said = about;
  };

  // What was focused may be gone: the next thing to read takes its place.
  const takeFocus = () => {
    const { phase } = state.value;
    const lost = !document.activeElement?.checkVisibility() || document.activeElement === document.body;
    if (phase !== state.phase && state.phase && lost) beginning(phase)?.focus();
    if (phase !== "looking") state.opened = "";
    state.phase = phase;
  };

  const settle = () => {
    if (!state.value || state.stage?.tab !== "duels") {
      state.listed = false;
      return;
    }
    state.sent = "";
    takeFocus();
    if (state.value.phase === "desk" && !state.listed) playground.openDesk();
    state.listed = state.value.phase === "desk";
    tell();
  };

  playground.islands.queue = (frame, trigger) => {
    Object.assign(state, { frame, trigger });
    return (value) => {
      state.value = value;
      draw();
      setTimeout(settle, 0); // the stage is drawn after this part of the same answer
    };
  };
  playground.drawQueue = (stage) => {
    state.stage = stage;
    setTimeout(settle, 0);
  };

  document.addEventListener("keydown", (event) => {
    if (state.stage?.tab !== "duels" || !playground.isShortcut(event)) return;
    const key = event.key.toLowerCase();
    if (key === "s") step("skip");
    else if (key === "u") undo();
  });
})();
