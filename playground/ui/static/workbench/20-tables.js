// Tables of figures and texts: the counts of the overview, and what a replay would change.
(() => {
  const { el, icon, word } = playground;

  const cell = (tag, text) => {
    const node = el(tag);
    if (/^\d{4}-\d\d-\d\dT/.test(text)) {
      const time = el("time", "", playground.moment(text));
      time.dateTime = text;
      node.append(time);
    } else node.append(text);
    if (/^[\d.,–]+$/.test(text)) node.className = "figure";
    return node;
  };

  playground.moment = (text) =>
    new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "short", timeStyle: "short" }).format(new Date(text));

  playground.table = (label, head, rows) => {
    const table = el("table", "", el("caption", "visually-hidden", label));
    const names = head.map((name) => {
      const node = el("th", "", name);
      node.scope = "col";
      return node;
    });
    const lines = rows.map((row) => {
      const [first, ...rest] = row;
      const name = cell("th", first);
      name.scope = "row";
      return el("tr", "", name, ...rest.map((text) => cell("td", text)));
    });
    table.append(el("thead", "", el("tr", "", ...names)), el("tbody", "", ...lines));
    const frame = el("div", "table", table);
    frame.tabIndex = 0;
    frame.setAttribute("role", "region");
    frame.setAttribute("aria-label", label);
    return frame;
  };

  playground.islands.counts = (element) => (value) => {
    const summary = el("p", "summary", value.summary);
    summary.setAttribute("role", "status");
    element.replaceChildren(summary);
    document.documentElement.classList.toggle("no-decisions", !value.table.length);
    if (value.table.length) element.append(playground.table(word("workbench.tab_overview"), value.head, value.table));
  };

  playground.islands.replayed = (element) => (value) => {
    const summary = el("p", "summary", value.summary);
    summary.setAttribute("role", "status");
    const turns = el("ul", "turns", ...value.turns.map((turn) => el("li", "", turn)));
    const code = el("pre", "", value.rule);
    code.tabIndex = 0;
    const copy = el("button", "btn btn-small", icon("copy", 16), word("workbench.copy"));
    copy.addEventListener("click", () => playground.copy(value.rule, copy));
    const rule = el("div", "rule", el("div", "rule-head", el("h3", "", word("workbench.replay_rule")), copy), code);
    const parts = [summary, turns, value.note ? el("p", "note", icon("alert", 16), value.note) : "", rule];
    if (value.rows.length) parts.push(playground.table(word("workbench.replay_list"), value.head, value.rows));
    element.replaceChildren(...parts);
  };
})();
