// The leaderboard: switches, the table, the plot of intervals, who beat whom, and how it is counted.
(() => {
  const { el, icon, word } = playground;
  const SVG = "http://www.w3.org/2000/svg";
  const state = { value: null, trigger: null, frame: null };

  const ask = (change = {}) => state.trigger("choose", { choice: { ...(state.value?.choice ?? { kind: "blind", ties: "apart" }), ...change } });
  playground.openBoard = () => state.trigger && ask();

  const draw = (tag, attributes, ...children) => {
    const node = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  };

  // A group of buttons of which one is pressed.
  const switchOf = (name, label, options) => {
    const group = el("div", "switch");
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", label);
    for (const option of options) {
      const button = el("button", "switch-option", option.name);
      button.title = option.hint;
      button.dataset.choice = `${name}-${option.value}`;
      button.setAttribute("aria-pressed", String(state.value.choice[name] === option.value));
      button.addEventListener("click", () => ask({ [name]: option.value }));
      group.append(button);
    }
    return el("div", "control", el("span", "control-label", label), group);
  };

  const selectOf = (name, label, options) => {
    const select = el("select");
    select.id = `board-${name}`;
    select.dataset.choice = name;
    for (const option of options) {
      const node = el("option", "", option.name);
      node.value = option.value;
      node.selected = state.value.choice[name] === option.value;
      select.append(node);
    }
    select.addEventListener("change", () => ask({ [name]: select.value }));
    const caption = el("label", "control-label", label);
    caption.htmlFor = select.id;
    return el("div", "control", caption, select);
  };

  const styleSwitch = () => {
    const button = el("button", "toggle", el("span", "toggle-knob"), word("board.styles"));
    button.setAttribute("role", "switch");
    button.setAttribute("aria-checked", String(state.value.choice.styles));
    button.title = word("board.styles_hint");
    button.dataset.choice = "styles";
    button.addEventListener("click", () => ask({ styles: !state.value.choice.styles }));
    return el("div", "control", el("span", "control-label", word("board.style")), button);
  };

  const controls = ({ options }) =>
    el("div", "controls",
      switchOf("kind", word("board.kind"), options.kind), switchOf("ties", word("board.ties"), options.ties), styleSwitch(),
      options.language.length > 2 ? selectOf("language", word("board.language"), options.language) : "",
      options.category.length > 2 ? selectOf("category", word("board.category"), options.category) : "");

  const table = (value) => {
    const node = el("table", "", el("caption", "visually-hidden", word("board.table")));
    const heads = value.head.map(([name, hint], at) => {
      const head = el("th", at === 1 ? "" : "figure", name);
      head.scope = "col";
      head.title = hint;
      return head;
    });
    const lines = value.rows.map((row) => {
      const cells = row.texts.map((text, at) => {
        const cell = el(at === 1 ? "th" : "td", at === 1 ? "" : "figure");
        if (at === 1) cell.scope = "row";
        cell.append(at === 0 ? el("span", `rank rank-${Math.min(row.rank, 4)}`, text) : text);
        return cell;
      });
      return el("tr", "", ...cells);
    });
    node.append(el("thead", "", el("tr", "", ...heads)), el("tbody", "", ...lines));
    return scrolling(node, word("board.table"));
  };

  const scrolling = (node, label) => {
    const frame = el("div", "table", node);
    frame.tabIndex = 0;
    frame.setAttribute("role", "region");
    frame.setAttribute("aria-label", label);
    return frame;
  };

  const ticks = (low, high) => {
    const step = [10, 25, 50, 100, 200, 250, 500, 1000, 2500, 5000].find((one) => (high - low) / one <= 6) ?? 10000;
    const marks = [];
    for (let at = Math.ceil(low / step) * step; at <= high; at += step) marks.push(at);
    return marks;
  };

  // A dot for the rating, a bar for where it lies with 95 %; the table has the same as numbers.
  const plot = (rows) => {
    const WIDTH = Math.max(560, state.frame.clientWidth - 50);
    const [LINE, NAME] = [34, Math.min(250, WIDTH * 0.32)];
    const [low, high] = [Math.min(...rows.map((row) => row.lower)), Math.max(...rows.map((row) => row.upper))];
    const room = Math.max(1, high - low) * 0.04;
    const x = (value) => NAME + ((value - low + room) / (high - low + 2 * room)) * (WIDTH - NAME - 16);
    const height = rows.length * LINE + 34;
    const svg = draw("svg", { viewBox: `0 0 ${WIDTH} ${height}`, class: "plot", role: "img", "aria-labelledby": "plot-title plot-text" });
    const title = draw("title", { id: "plot-title" }, word("board.plot"));
    const text = draw("desc", { id: "plot-text" }, rows.map((row) => `${row.texts[1]}: ${row.texts[2]} (${row.texts[3]})`).join("; "));
    svg.append(title, text);
    for (const mark of ticks(low - room, high + room)) {
      svg.append(draw("line", { x1: x(mark), x2: x(mark), y1: 4, y2: height - 26, class: "grid" }));
      svg.append(draw("text", { x: x(mark), y: height - 8, class: "tick" }, playground.number(mark)));
    }
    rows.forEach((row, at) => {
      const y = at * LINE + LINE / 2 + 4;
      const most = Math.floor(NAME / 8.5);
      const name = row.name.length > most ? `${row.name.slice(0, most - 1)}…` : row.name;
      svg.append(
        draw("text", { x: NAME - 14, y: y + 4.500, class: "name" }, name),
        draw("line", { x1: x(row.lower), x2: x(row.upper), y1: y, y2: y, class: "interval" }),
        draw("line", { x1: x(row.lower), x2: x(row.lower), y1: y - 6, y2: y + 6, class: "end" }),
        draw("line", { x1: x(row.upper), x2: x(row.upper), y1: y - 6, y2: y + 6, class: "end" }),
        draw("circle", { cx: x(row.rating), cy: y, r: 5.500, class: "point" }),
      );
    });
    return scrolling(svg, word("board.plot"));
  };

  const matrix = (value) => {
    const node = el("table", "matrix", el("caption", "visually-hidden", word("board.matrix")));
    const names = value.rows.map((row) => row.name);
    const corner = el("td", "corner", word("board.matrix_corner"));
    const heads = names.map((name) => {
      const head = el("th", "", el("span", "", name));
      head.scope = "col";
      return head;
    });
    const lines = value.matrix.map((cells, at) => {
      const head = el("th", "", names[at]);
      head.scope = "row";
      return el("tr", "", head, ...cells.map((cell) => {
        if (!cell) return el("td", "self", "–");
        const node = el("td", "cell", cell.text);
        if (cell.share !== null) node.style.setProperty("--share", cell.share.toFixed(2));
        else node.classList.add("unmet");
        return node;
      }));
    });
    node.append(el("thead", "", el("tr", "", corner, ...heads)), el("tbody", "", ...lines));
    return scrolling(node, word("board.matrix"));
  };

  const method = () => {
    const box = el("details", "method", el("summary", "", word("board.method")));
    const said = [
      word("board.method_votes"), word("board.method_strength"), word("board.method_ties"), word("board.method_interval"),
      word("board.method_people"), word("board.method_rank"), word("board.method_style"), word("board.method_sampling"),
    ];
    box.append(...said.map((text) => el("p", "", text)));
    const sources = el("ul", "sources");
    for (const text of word("board.sources").split(" | ")) sources.append(el("li", "", text));
    box.append(el("h3", "", word("board.sources_title")), sources);
    return box;
  };

  const invitation = (value) => {
    const box = el("div", "board-empty", icon("columns", 34), el("p", "board-empty-text", value.note));
    if (!value.invite) return box;
    const go = el("button", "btn btn-primary", word("board.vote"));
    go.addEventListener("click", () => document.getElementById("tab-battle").click());
    box.append(go);
    return box;
  };

  const files = (value) => {
    const links = [["csv", "CSV"], ["jsonl", "JSONL"], ["parquet", "Parquet"]].map(([end, name]) => {
      const link = el("a", "btn btn-small", icon("download", 16), name);
      link.href = `/arena/votes/${value.choice.kind}.${end}`;
      link.download = "";
      link.id = `votes-${end}`;
      link.setAttribute("aria-label", word("board.download", { kind: name }));
      link.title = link.getAttribute("aria-label");
      return link;
    });
    return el("div", "board-files", ...links);
  };

  const counted = (value) => {
    const told = el("ul", "board-sentences");
    for (const text of value.sentences) told.append(el("li", "", text));
    const part = (title, ...nodes) => el("section", "board-part", el("h3", "", title), ...nodes);
    return [
      table(value), told, part(word("board.plot"), el("p", "quiet", word("board.plot_hint")), plot(value.rows)),
      part(word("board.matrix"), el("p", "quiet", word("board.matrix_hint")), matrix(value)),
    ];
  };

  playground.islands.board = (element, trigger) => {
    state.trigger = trigger;
    state.frame = element;
    if (document.documentElement.dataset.tab === "board") setTimeout(ask, 0);
    return (value) => {
      const held = element.contains(document.activeElement) ? document.activeElement.dataset.choice : null;
      state.value = value;
      const open = element.querySelector(".method")?.open;
      const title = el("h2", "board-title", word("board.title"));
      title.tabIndex = -1;
      const head = el("div", "board-head", el("div", "", title, el("p", "quiet", value.summary || word("board.subtitle"))), files(value));
      element.replaceChildren(head, controls(value), ...(value.rows.length ? counted(value) : [invitation(value)]), method());
      element.querySelector(".method").open = Boolean(open);
      if (held !== null) element.querySelector(`[data-choice="${held}"]`)?.focus();
    };
  };
})();
