// What Gradio's chat does not draw: actions, versions, figures, notices and the stage of an answer, per message row.
// The chat's rows stand in the order of `value.rows`; our own nodes are appended to them and redrawn when they change.
(() => {
  const { el, icon, iconButton, word, announce } = playground;
  const wrap = () => document.querySelector("#chat .message-wrap");
  const drawn = new WeakMap();
  const state = { value: null, prints: [], live: null, trigger: null, scheduled: false, atEnd: true };

  const act = (kind, id = "") => state.trigger(kind, { id });

  const versions = (row) => {
    const box = el("span", "versions");
    const step = (name, label, id) => {
      const button = iconButton(name, label, () => act("version", id));
      button.disabled = !id || state.value.busy;
      return button;
    };
    const { at, of, previous, next } = row.versions;
    const count = el("span", "versions-count", `${at} / ${of}`);
    count.setAttribute("aria-label", word("message.version", { at, of }));
    box.append(step("left", word("message.previous"), previous), count, step("right", word("message.next"), next));
    return box;
  };

  const toolbar = (row) => {
    const bar = el("div", "tools");
    if (row.text) {
      const button = iconButton("copy", word("message.copy"), () => playground.copy(row.text, button));
      bar.append(button);
    }
    if (row.role === "user") {
      bar.append(iconButton("pen", word("message.edit"), () => playground.editMessage(row.id, row.text)));
    } else {
      bar.append(iconButton("retry", word("message.retry"), () => act("retry", row.id)));
      if (row.text) bar.append(flagButton(row));
      if (row.model) {
        const look = () => playground.lookInside(row.id, row.model, row.text ? "tokens" : "prompt");
        bar.append(iconButton("lens", word("inside.open"), look, "look-inside"));
      }
    }
    for (const button of bar.children) {
      if (state.value.busy && !button.matches(":first-child")) button.disabled = true;
    }
    if (row.versions) bar.append(versions(row));
    if (row.stats?.length) bar.append(stats(row));
    return bar;
  };

  const flagButton = (row) => {
    const done = state.value.reported.includes(row.id);
    const button = iconButton("flag", word(done ? "report.flagged" : "report.flag"), () => {
      if (button.getAttribute("aria-disabled")) return;
      act("missed", row.id);
      playground.toast(word("report.thanks"));
    }, done ? "flagged" : "");
    if (done) button.setAttribute("aria-disabled", "true");
    return button;
  };

  const stats = (row) => {
    const line = el("p", "stats");
    line.setAttribute("aria-label", word("stats.label"));
    row.stats.forEach(([text, hint]) => {
      const part = el("span", "", text);
      part.title = hint;
      line.append(part);
    });
    return line;
  };

  const retryButton = (row) => {
    const button = el("button", "btn btn-small", icon("retry", 16), word("message.again"));
    button.addEventListener("click", () => act("retry", row.id));
    button.disabled = state.value.busy;
    return button;
  };

  const decoration = (row) => {
    const box = el("div", `extras extras-${row.role}`);
    const about = { told: state.value, trigger: state.trigger, text: row.role === "user" ? row.text : "" };
    for (const notice of row.notices) {
      box.append(playground.noticeCard(notice, notice.retry ? [retryButton(row)] : [], null, about));
    }
    box.append(toolbar(row));
    return box;
  };

  // While an answer grows this runs many times a second: what is drawn already is recognised by its print.
  const decorate = (node, index) => {
    const print = state.prints[index] ?? null;
    if ((drawn.get(node) ?? null) === print) return;
    drawn.set(node, print);
    node.querySelector(":scope > .extras")?.remove();
    const row = state.value.rows[index];
    if (!row) return node.removeAttribute("id");
    node.append(decoration(row));
    node.id = `message-${row.id}`;
  };

  const earlier = (parent, count) => {
    let button = document.getElementById("earlier");
    if (!count) return button?.remove();
    if (!button) {
      button = el("button", "btn earlier");
      button.id = "earlier";
      button.addEventListener("click", () => act("earlier"));
      parent.prepend(button);
    }
    button.textContent = word("thread.earlier", { count });
  };

  const drawLive = (parent) => {
    let line = document.getElementById("live-line");
    if (!line) {
      line = el("div", "live", el("span", "live-dots", el("i"), el("i"), el("i")), el("span", "live-text"), el("progress"));
      line.id = "live-line";
    }
    const live = state.value.busy && state.live;
    line.hidden = !live;
    if (parent.lastElementChild !== line) parent.append(line);
    if (!live) return;
    line.children[1].textContent = live.text;
    line.children[2].hidden = live.fraction === null;
    if (live.fraction !== null) line.children[2].value = live.fraction;
  };

  const sync = () => {
    state.scheduled = false;
    const parent = wrap();
    if (!parent || !state.value) return;
    const rows = [...parent.querySelectorAll(":scope > .message-row")];
    rows.forEach(decorate);
    earlier(parent, state.value.earlier);
    drawLive(parent);
    playground.mendChat(parent, word("thread.label"), state.value.busy);
    playground.keepAtEnd(parent.closest("[role=log]"), state);
  };

  const schedule = () => {
    if (state.scheduled) return;
    state.scheduled = true;
    requestAnimationFrame(sync);
  };

  const address = (conversation) => {
    const url = new URL(location.href);
    if ((url.searchParams.get("c") || null) === conversation) return;
    if (conversation) url.searchParams.set("c", conversation);
    else url.searchParams.delete("c");
    history.pushState(null, "", url);
    playground.languageLinks?.();
  };

  playground.islands.thread = (element, trigger) => {
    state.trigger = trigger;
    const observe = () => {
      const chat = document.getElementById("chat");
      if (!chat) return setTimeout(observe, 30);
      new MutationObserver(schedule).observe(chat, { childList: true, subtree: true });
      schedule();
    };
    observe();
    let hiddenAt = 0;
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) hiddenAt = Date.now();
      else if (state.value && Date.now() - hiddenAt > 10000) act("refresh"); // a phone cuts streams it hides
    });
    return (value) => {
      const was = state.value;
      state.value = value;
      state.prints = value.rows.map((row) => row && JSON.stringify([row, value.busy, value.reported]));
      if (value.busy || was?.conversation !== value.conversation) state.atEnd = true;
      playground.busy = value.busy;
      document.documentElement.classList.toggle("empty", value.empty);
      address(value.conversation);
      if (value.busy) act("follow");
      if (was?.busy && !value.busy) announce(value.announcement || word("thread.finished"));
      if (!was?.busy && value.busy) announce(word("thread.started"));
      schedule();
    };
  };

  playground.islands.live = () => (value) => {
    state.live = value;
    schedule();
  };
})();
