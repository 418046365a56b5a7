// The prompt as the model received it, token by token, coloured by whose each part is.
(() => {
  const { el, word } = playground;

  playground.insideParts.prompt = (body, panel) => {
    let loaded = false;

    const shares = (value) => {
      const bar = el("div", "prompt-bar");
      bar.setAttribute("aria-hidden", "true");
      const list = el("ul", "prompt-counts");
      for (const { source, count, part } of value.counts) {
        const fill = el("i", `source-${source}`);
        fill.style.setProperty("--part", part);
        bar.append(fill);
        list.append(el("li", "", el("i", `swatch source-${source}`), word(`inside.source_${source}`), el("b", "", count)));
      }
      return [bar, list];
    };

    const piece = ({ source, role, tokens }) => {
      const name = word(`inside.source_${source}`);
      const node = el("section", `piece source-${source}`);
      node.setAttribute("aria-label", word("inside.piece_label", { source: name, count: tokens.length }));
      const shown = el("p", "piece-tokens");
      for (const [text, kind] of tokens) {
        const token = el("span", `piece-token piece-${kind}`);
        token.textContent = kind === "text" ? text.replace(/\n/g, "↵\n") : panel.glyph(text, kind);
        shown.append(token);
      }
      const who = role ? `${name} · ${word(`inside.role_${role}`)}` : name;
      node.append(el("p", "piece-name", who, el("b", "", String(tokens.length))), shown);
      return node;
    };

    const cut = (value) => {
      const box = el("section", "prompt-cut", el("h3", "", word("inside.cut")));
      if (!value.cut.length) return el("p", "hint", word("inside.cut_none"));
      const list = el("ul", "");
      for (const { role, opening, reason } of value.cut) {
        list.append(el("li", "", el("b", "", word(`inside.role_${role}`)), ` ${opening} `, el("small", "", word(`inside.cut_${reason}`))));
      }
      box.append(list);
      return box;
    };

    const build = (value) => {
      const perWord = el("p", "hint", `${word("inside.per_word", value.per_word)} ${word("inside.per_word_hint")}`);
      const pieces = el("div", "pieces");
      pieces.append(...value.pieces.map(piece));
      const changed = value.changed ? [el("p", "inside-status inside-changed", word("inside.prompt_changed"))] : [];
      const { total, context, percent } = value;
      body.replaceChildren(
        el("p", "hint", word("inside.prompt_intro")), ...changed,
        el("p", "prompt-total", word("inside.prompt_total", { total, context, percent })),
        ...shares(value), perWord, cut(value), pieces,
      );
    };

    const open = async () => {
      if (loaded) return;
      if (panel.told) return panel.status(body, word("inside.told_prompt"));
      const value = await panel.load(body, "prompt", open, word("inside.told_prompt"));
      if (!value) return;
      loaded = true;
      build(value);
    };
    return { reset: () => (loaded = false), open };
  };
})();
