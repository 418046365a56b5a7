// The whole stage: the bar above the columns, the address, the keys, and what follows from the view of the server.
(() => {
  const { el, icon, word } = playground;
  const root = document.documentElement;
  const BAR = { add: "plus", fresh: "compose" };
  let trigger;
  let first = true;

  const address = (value) => {
    const url = new URL(location.href);
    const before = url.href;
    const set = (name, text) => (text ? url.searchParams.set(name, text) : url.searchParams.delete(name));
    const apart = ["duels", "board"].includes(value.tab);
    set("c", apart ? "" : value.comparison);
    set("tab", apart || (value.tab === "battle" && !value.comparison) ? value.tab : "");
    set("duel", value.tab === "duels" ? value.duel : "");
    if (value.comparison || value.tab !== "sides") url.searchParams.delete("models");
    for (const once of ["prompt", "send"]) url.searchParams.delete(once);
    if (url.href !== before) history[first ? "replaceState" : "pushState"](null, "", url);
  };

  // A question that came with the address waits in the composer; `send=1` sends it, once.
  const takePrompt = () => {
    const asked = new URLSearchParams(location.search);
    const prompt = asked.get("prompt");
    return prompt ? () => (asked.get("send") === "1" ? playground.sendText(prompt) : playground.putDraft(prompt)) : null;
  };

  const action = (name, label, onClick, disabled = false) => {
    const button = el("button", "btn btn-small", icon(name, 16), el("span", "", label));
    button.title = label;
    button.setAttribute("aria-label", label); // on a phone the words are left out
    button.addEventListener("click", () => onClick(button));
    button.disabled = disabled;
    return button;
  };

  const download = (value, end, label) => {
    const link = el("a", "btn btn-small", label);
    link.href = `/arena/comparisons/${value.comparison}.${end}`;
    link.download = "";
    return link;
  };

  const both = (value) => value.cards.filter((card) => card.text).map((card) => `${card.letter}: ${card.name}\n\n${card.text}`).join("\n\n\n");

  const more = (value) => {
    const box = el("details", "menu");
    const summary = el("summary", "btn btn-small", icon("download", 16), el("span", "", word("arena.more")));
    summary.setAttribute("aria-label", word("arena.more"));
    const list = el("div", "menu-list",
      action("copy", word("arena.copy_all"), (button) => playground.copy(both(value), button)),
      download(value, "md", word("arena.export_md")), download(value, "json", word("arena.export_json")));
    box.append(summary, list);
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !box.open) return;
      event.stopPropagation();
      box.open = false;
      summary.focus();
    });
    box.addEventListener("focusout", (event) => {
      if (event.relatedTarget && !box.contains(event.relatedTarget)) box.open = false;
    });
    return box;
  };

  const actions = (value) => {
    const box = el("div", "bar-actions");
    const answered = value.cards.some((card) => card.text) && !value.busy;
    if (value.may_add) {
      box.append(action(BAR.add, word("arena.add"), () => playground.chooseModel("", (id) => trigger("choose", { position: value.cards.length, id }))));
    }
    if (value.comparison && !value.empty) {
      if (answered) box.append(action("differ", word("arena.differences"), () => trigger("differences", {})));
      if (answered && !value.blind) box.append(action("lens", word("surprise.open"), () => playground.openSurprise(trigger)));
      if (answered) box.append(more(value));
      if (value.tab !== "duels") box.append(action(BAR.fresh, word(value.tab === "battle" ? "arena.fresh_battle" : "arena.fresh"), () => trigger("fresh", {}), value.busy));
    }
    return box;
  };

  // On a phone one column is seen at a time: a switch shows which, and swiping moves it.
  const segments = (value) => {
    const row = document.getElementById("columns");
    const box = el("div", "segments");
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", word("arena.segments"));
    value.cards.forEach((card, at) => {
      const button = el("button", "segment", playground.sideBadge(card.letter), el("span", "", card.name));
      button.setAttribute("aria-label", `${card.letter}: ${card.name}`);
      button.addEventListener("click", () => row.scrollTo({ left: document.getElementById(`column-${at}`).offsetLeft - row.offsetLeft - 12 }));
      box.append(button);
    });
    const mark = () => {
      const at = Math.round(row.scrollLeft / Math.max(1, row.clientWidth * 0.88));
      [...box.children].forEach((node, place) => node.setAttribute("aria-pressed", String(place === Math.min(at, box.children.length - 1))));
    };
    row.onscroll = mark;
    mark();
    return box;
  };

  const bar = (element, value) => {
    const plan = el("p", "plan", value.plan ? icon("clock", 15) : "", value.plan);
    const aim = el("p", "aimed", icon("target", 15), el("span", "", value.aim));
    const all = el("button", "aimed-all", word("arena.ask_all"));
    all.addEventListener("click", () => trigger("aim", { position: 4 }));
    aim.append(all);
    element.replaceChildren(el("div", "stage-bar", value.aim ? aim : plan, actions(value)), segments(value));
  };

  playground.islands.stage = (element, send) => {
    trigger = send;
    playground.chooserSends(send);
    const prompt = takePrompt();
    playground.openSettings = playground.buildSettings(document.body);
    let hiddenAt = 0;
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) hiddenAt = Date.now();
      else if (!first && Date.now() - hiddenAt > 10000) trigger("refresh", {}); // a phone cuts streams it hides
    });
    return (value) => {
      playground.busy = value.busy;
      Object.assign(root.dataset, { tab: value.tab, places: value.cards.length });
      root.dataset.winner = value.ballot.chosen;
      root.classList.toggle("empty", value.empty);
      root.classList.toggle("blind", value.blind);
      address(value);
      playground.markTab?.(value.tab);
      bar(element, value);
      playground.drawColumns(value, trigger);
      playground.drawBallot(value, trigger);
      playground.drawQueue(value);
      if (value.tab === "board") playground.openBoard();
      if (value.busy) trigger("follow", {});
      if (first) {
        first = false;
        playground.watchColumns();
        if (prompt) setTimeout(prompt, 0);
      }
    };
  };

  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    const stops = event.key === "Escape" && playground.busy && !document.querySelector("dialog[open]");
    if (stops) document.getElementById("composer-send")?.click();
    if (!playground.isShortcut(event)) return;
    if (event.key === "/") {
      event.preventDefault();
      playground.focusComposer();
    } else if (event.key >= "1" && event.key <= "4") playground.voteByKey(Number(event.key));
  });
})();
