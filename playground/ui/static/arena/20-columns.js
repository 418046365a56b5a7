// The columns: above each chat who answers, below it what it is doing, its figures, notices and actions.
(() => {
  const { el, icon, iconButton, word } = playground;
  const heads = [];
  const feet = [];
  const parts = new Map(); // position -> the nodes of a foot that change while an answer grows
  const state = { value: null, pulses: [], trigger: null, said: new Set(), logs: new Map(), scheduled: false };
  const drawn = new WeakMap(); // row of a chat -> what stands below it
  const column = (at) => document.getElementById(`column-${at}`);
  const act = (kind, position, more = {}) => state.trigger(kind, { position, ...more });

  for (let at = 0; at < 4; at += 1) {
    playground.islands[`head-${at}`] = (frame) => {
      heads[at] = frame;
      return () => draw(at);
    };
    playground.islands[`foot-${at}`] = (frame) => {
      feet[at] = frame;
      return () => draw(at);
    };
  }

  const badge = (letter) => {
    const node = el("span", `letter letter-${letter.toLowerCase()}`, letter);
    node.setAttribute("aria-hidden", "true");
    return node;
  };
  playground.sideBadge = badge;

  const nameOf = (card) => {
    if (state.value.tab !== "sides" || state.value.busy) return el("strong", "side-name", card.name);
    const button = el("button", "side-name side-pick", el("span", "", card.name), icon("down", 15));
    button.setAttribute("aria-label", word("arena.change_model", { letter: card.letter, name: card.name }));
    button.setAttribute("aria-haspopup", "dialog");
    button.addEventListener("click", () => playground.chooseModel(card.model, (id) => act("choose", card.position, { id })));
    return button;
  };

  const headTools = (card, seat) => {
    const tools = el("span", "side-tools");
    const { value } = state;
    if (value.tab !== "sides") return tools;
    if (!value.empty && value.cards.length > 1) {
      const aimed = value.only === card.position;
      const label = word(aimed ? "arena.aim_all" : "arena.aim", { letter: card.letter });
      const aim = iconButton("target", label, () => act("aim", aimed ? 4 : card.position), "small");
      aim.setAttribute("aria-pressed", String(aimed));
      tools.append(aim);
    }
    if (seat?.settings) {
      const label = word("arena.settings", { letter: card.letter });
      const gear = iconButton("sliders", label, () => playground.openSettings(seat.settings, (chosen) => act("settings", card.position, chosen)), "small gear");
      if (seat.settings.changed) gear.append(el("span", "changed-dot"));
      gear.disabled = value.busy;
      tools.append(gear);
    }
    if (value.may_remove) {
      tools.append(iconButton("close", word("arena.remove", { letter: card.letter, name: card.name }), () => act("remove", card.position), "small"));
    }
    return tools;
  };

  const about = (card, seat) => {
    const box = el("div", "side-about");
    if (state.value.blind) {
      box.append(el("span", "mystery", "?"), el("p", "", word("arena.mystery")));
      return box;
    }
    const facts = el("div", "side-facts");
    for (const [label, text] of seat?.facts ?? []) {
      const fact = el("span", "fact", text);
      fact.title = label;
      facts.append(fact);
    }
    box.append(el("p", "", seat?.description || ""), facts);
    return box;
  };

  const drawHead = (card, seat) => {
    const frame = heads[card.position];
    const focused = frame.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
    const line = el("div", "side-head", badge(card.letter), nameOf(card), headTools(card, seat));
    frame.replaceChildren(line, state.value.empty ? about(card, seat) : "");
    if (card.earlier) {
      const more = el("button", "btn btn-small more", word("thread.earlier", { count: card.earlier }));
      more.addEventListener("click", () => state.trigger("earlier", {}));
      frame.append(more);
    }
    if (focused) [...frame.querySelectorAll("button")].find((node) => node.getAttribute("aria-label") === focused)?.focus();
  };

  const retryButton = (card) => {
    const button = el("button", "btn btn-small", icon("retry", 16), word("message.again"));
    button.addEventListener("click", () => act("retry", card.position));
    button.disabled = state.value.busy;
    return button;
  };

  const footTools = (card) => {
    const { value } = state;
    const tools = el("div", "tools");
    const stop = el("button", "btn btn-small stop", el("span", "stop-square"), word("composer.stop"));
    stop.setAttribute("aria-label", word("arena.stop", { letter: card.letter }));
    stop.addEventListener("click", () => act("stop", card.position));
    const copy = iconButton("copy", word("arena.copy", { letter: card.letter }), () => playground.copy(card.text, copy), "calm");
    if (!value.blind) tools.append(stop); // one alone would show which had ended before: the composer stops both
    if (card.text) tools.append(copy);
    const retry = iconButton("retry", word("arena.retry", { letter: card.letter }), () => act("retry", card.position), "calm");
    if (value.blind) {
      if (card.retry) tools.append(retry);
      return tools;
    }
    const open = iconButton("external", word("arena.detach", { letter: card.letter }), () => act("detach", card.position), "calm");
    // The answers of a batch are what was graded: they are not written anew.
    tools.append(...(value.tab === "duels" ? [] : [retry]), ...(card.text ? [flagButton(card)] : []), open);
    for (const button of [retry, open]) button.disabled = value.busy;
    return tools;
  };

  const flagButton = (card) => {
    const done = state.value.told.reported.includes(card.pulse.answer);
    const button = iconButton("flag", word(done ? "report.flagged" : "report.flag"), () => {
      if (button.getAttribute("aria-disabled")) return;
      act("missed", card.position);
      playground.toast(word("report.thanks"));
    }, done ? "calm flagged" : "calm");
    if (done) button.setAttribute("aria-disabled", "true");
    return button;
  };

  // Notices of earlier turns stand below the rows of the chat they belong to; those of the newest answer in the foot.
  const decorate = (row, turn) => {
    const print = turn?.notices.length || turn?.author ? JSON.stringify([turn, state.value.told]) : null;
    if ((drawn.get(row) ?? null) === print) return;
    drawn.set(row, print);
    row.querySelector(":scope > .extras")?.remove();
    if (!print) return;
    const about = { told: state.value.told, trigger: state.trigger, text: turn.text };
    const author = turn.author ? [el("p", "turn-author", turn.author)] : [];
    row.append(el("div", "extras", ...author, ...turn.notices.map((notice) => playground.noticeCard(notice, [], null, about))));
  };

  const drawFoot = (card) => {
    const frame = feet[card.position];
    if (state.value.empty) return frame.replaceChildren();
    const live = el("div", "live", el("span", "live-dots", el("i"), el("i"), el("i")), el("span", "live-text"), el("progress"));
    live.children[2].setAttribute("aria-label", word("arena.progress", { letter: card.letter }));
    const stats = el("p", "stats");
    stats.setAttribute("role", "group"); // a paragraph may not have a label
    stats.setAttribute("aria-label", word("stats.label"));
    const about = { told: state.value.told, trigger: state.trigger, text: "" };
    const notices = card.notices.map((notice) => playground.noticeCard(notice, notice.retry ? [retryButton(card)] : [], null, about));
    frame.replaceChildren(live, ...notices, el("div", "side-foot", footTools(card), stats));
    parts.set(card.position, { live, stats });
  };

  const draw = (at) => {
    const card = state.value?.cards[at];
    if (!card || !heads[at] || !feet[at]) return;
    drawHead(card, state.value.seats[at]);
    drawFoot(card);
    const place = column(at);
    place.setAttribute("role", "group");
    place.setAttribute("aria-label", `${card.letter}: ${card.name}`);
    beat(at);
  };

  // Told once for every answer that ends, to people who do not see the columns: a log is read out as it grows.
  const say = (text) => {
    let log = document.getElementById("sayings");
    if (!log) {
      log = el("div", "visually-hidden");
      log.id = "sayings";
      log.setAttribute("role", "log");
      log.setAttribute("aria-label", word("arena.news"));
      document.body.append(log);
    }
    log.append(el("p", "", text));
    while (log.children.length > 8) log.firstChild.remove();
  };

  const beat = (at) => {
    const pulse = state.pulses[at];
    const place = column(at);
    if (!pulse || !place) return;
    place.setAttribute("aria-busy", String(pulse.running));
    place.classList.toggle("running", pulse.running);
    if (pulse.answer && !pulse.running && !state.said.has(pulse.answer)) {
      state.said.add(pulse.answer);
      if (pulse.outcome) say(pulse.outcome);
    }
    const nodes = parts.get(at);
    if (!nodes) return;
    const { live, fraction } = { live: nodes.live, fraction: pulse.live.fraction };
    live.hidden = !pulse.running;
    live.children[1].textContent = pulse.live.text;
    live.children[2].hidden = fraction === null;
    if (fraction !== null) live.children[2].value = fraction;
    drawStats(nodes.stats, pulse.figures);
  };

  const drawStats = (line, figures) => {
    while (line.children.length > figures.length) line.lastChild.remove();
    figures.forEach(([text, hint], at) => {
      const part = line.children[at] ?? line.appendChild(el("span"));
      if (part.textContent !== text) part.textContent = text;
      part.title = hint;
    });
  };

  const sync = () => {
    state.scheduled = false;
    state.value?.cards.forEach((card) => {
      const parent = document.querySelector(`#chat-${card.position} .message-wrap`);
      if (!parent) return;
      [...parent.querySelectorAll(":scope > .message-row")].forEach((row, at) => decorate(row, card.turns[at]));
      playground.mendChat(parent, word("arena.log", { letter: card.letter }), state.pulses[card.position]?.running);
      if (state.value.tab !== "duels") playground.keepAtEnd(parent.closest("[role=log]"), logState(card.position));
    });
  };
  const logState = (at) => {
    if (!state.logs.has(at)) state.logs.set(at, { atEnd: true });
    return state.logs.get(at);
  };
  // Answers of a batch have ended long ago, so they are read from their beginning.
  const readFromTheTop = () => {
    for (const log of document.querySelectorAll(".side-chat [role=log]")) log.scrollTop = 0;
  };
  const schedule = () => {
    if (state.scheduled) return;
    state.scheduled = true;
    requestAnimationFrame(sync);
  };

  playground.drawColumns = (value, trigger) => {
    const before = state.value;
    const arrived = !before || before.tab !== value.tab || (before.comparison && before.comparison !== value.comparison);
    if (arrived) for (const { pulse } of value.cards) if (!pulse.running) state.said.add(pulse.answer); // was there already
    Object.assign(state, { value, trigger });
    state.pulses = value.cards.map((card) => card.pulse);
    if (value.busy) for (const log of state.logs.values()) log.atEnd = true;
    else if (arrived && value.tab === "duels") readFromTheTop();
    value.cards.forEach((_, at) => draw(at));
    const row = document.getElementById("columns");
    row.tabIndex = row.scrollWidth > row.clientWidth ? 0 : -1; // what scrolls can be scrolled by keyboard
    schedule();
  };
  playground.watchColumns = () => {
    new MutationObserver(schedule).observe(document.getElementById("columns"), { childList: true, subtree: true });
  };

  playground.islands.pulse = () => (value) => {
    state.pulses = value.pulses;
    if (state.value && value.pulses.length === state.value.cards.length) value.pulses.forEach((_, at) => beat(at));
    schedule();
  };
})();
