// How a token is shown and how it is said, wherever tokens are.
(() => {
  const { word } = playground;

  playground.tokenGlyph = (text, kind) => {
    if (kind === "fragment") return "◌";
    if (kind === "end") return word("inside.end");
    if (kind === "more") return "…";
    return text.replace(/\n/g, "↵").replace(/\t/g, "⇥").replace(/^ +| +$/g, (spaces) => "␣".repeat(spaces.length));
  };

  playground.tokenSpoken = (text, kind) => {
    if (kind === "fragment") return word("inside.fragment");
    if (kind === "end") return word("inside.end_label");
    if (kind === "more") return word("inside.more");
    if (kind === "control") return word("inside.control", { token: text });
    const shown = text.replace(/\n/g, ` ${word("inside.newline")} `).trim();
    return shown ? `“${shown}”` : word("inside.space");
  };

  // One token is in the tab order at a time; the arrow keys move among them. `look` is told of the one that is focused.
  playground.tokenRow = (buttons, look) => {
    const row = playground.el("div", "lens", ...buttons);
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", word("inside.token_list"));
    row.addEventListener("keydown", (event) => {
      const here = buttons.indexOf(document.activeElement);
      if (here < 0) return;
      const last = buttons.length - 1;
      const to = { ArrowRight: here + 1, ArrowDown: here + 1, ArrowLeft: here - 1, ArrowUp: here - 1, Home: 0, End: last }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      look?.();
      buttons[Math.max(0, Math.min(last, to))].focus();
    });
    return row;
  };

  playground.tokenLegend = () => {
    const list = playground.el("ul", "inside-legend");
    list.setAttribute("aria-label", word("inside.legend"));
    for (const level of [0, 1, 2, 3, 4]) {
      const sample = playground.el("span", `token token-${level}`, "abc");
      sample.setAttribute("aria-hidden", "true");
      list.append(playground.el("li", "", sample, word(`inside.level_${level}`)));
    }
    return list;
  };
})();
