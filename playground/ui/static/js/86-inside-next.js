// Writing an answer by hand, one token at a time: what the model holds possible, and what the settings make of it.
(() => {
  const { el, icon, word } = playground;
  const FIELDS = [
    ["temperature", 0, 2, 0.05], ["top_k", 0, 100, 1], ["top_p", 0, 1, 0.01], ["min_p", 0, 1, 0.01], ["seed", 0, 9999, 1],
  ];
  const SETTLE_MS = 160;

  playground.insideParts.next = (body, panel) => {
    let params = null, drawnId = null, built = false, timer = 0;
    const inputs = new Map();
    const text = el("p", "so-far"), rows = el("ul", "candidates candidates-next"), figures = el("p", "hint");
    const note = el("p", "inside-status");
    const tool = (id, name, glyph, act, className = "") => {
      const node = el("button", `btn btn-small ${className}`, glyph && icon(glyph, 16), word(name));
      node.id = id;
      node.addEventListener("click", act);
      return node;
    };
    const take = (id) => {
      panel.chosen = [...panel.chosen, id];
      step();
    };
    const draw = tool("inside-draw", "inside.draw", "right", () => drawnId !== null && take(drawnId), "btn-primary");
    const undo = tool("inside-undo", "inside.undo", "left", () => {
      if (panel.chosen.length) panel.chosen = panel.chosen.slice(0, -1);
      else panel.place = Math.max(0, panel.place - 1);
      step();
    });
    const restart = tool("inside-restart", "inside.restart", "retry", () => {
      Object.assign(panel, { place: 0, chosen: [] });
      step();
    });
    const branch = tool("inside-branch", "inside.branch", "compose", () => panel.branch(panel.place, panel.chosen));

    const written = (range) => playground.number(Number(range.value), { maximumFractionDigits: 2 });
    const field = ([name, low, high, unit]) => {
      const range = el("input"), value = el("output", "number-shown");
      range.type = name === "seed" ? "number" : "range";
      range.id = `inside-${name}`;
      Object.assign(range, { min: low, max: high, step: unit });
      const label = el("label", "", word(`settings.${name}`));
      label.htmlFor = range.id;
      range.addEventListener("input", () => {
        value.textContent = written(range);
        clearTimeout(timer);
        timer = setTimeout(changed, SETTLE_MS);
      });
      inputs.set(name, { range, value });
      return el("div", `step-field step-${name}`, label, range, name === "seed" ? null : value);
    };
    const changed = () => {
      const read = {};
      for (const [name, { range }] of inputs) {
        if (range.value === "" || !range.checkValidity()) return;
        read[name] = Number(range.value);
      }
      params = { ...params, ...read };
      step();
    };
    const fill = () => {
      for (const [name, { range, value }] of inputs) {
        if (document.activeElement !== range) range.value = params[name];
        value.textContent = written(range);
      }
    };

    const row = (one) => {
      const masked = one.id === null;
      const share = el("span", one.after ? "" : "candidate-out", one.after ? one.share : word("inside.out"));
      const node = el(masked ? "div" : "button", `candidate ${masked ? "candidate-masked" : ""} ${one.drawn ? "candidate-drawn" : ""}`,
        el("span", "candidate-text", masked ? word("inside.masked") : panel.glyph(one.text, one.kind)),
        panel.bar([["bar-before", one.before], ["bar-after", one.after]]),
        el("span", "candidate-percent", el("small", "", one.percent), share),
        one.drawn ? el("span", "candidate-note", word("inside.drawn")) : null);
      if (!masked) {
        const shown = { token: panel.spoken(one.text, one.kind), before: one.percent, after: one.after ? one.share : word("inside.out") };
        node.setAttribute("aria-label", word("inside.choose", shown) + (one.drawn ? `. ${word("inside.drawn")}` : ""));
        node.addEventListener("click", () => take(one.id));
      }
      return el("li", "", node);
    };

    const show = (value) => {
      params = value.params;
      fill();
      const made = value.tokens.slice(panel.place).join("");
      const kept = value.text.slice(0, value.text.length - made.length);
      text.replaceChildren(...(value.text ? [el("span", "", kept), el("mark", "", made)] : [el("em", "", word("inside.so_far_empty"))]));
      rows.replaceChildren(...value.candidates.map(row));
      drawnId = value.drawn?.id ?? null;
      const masked = value.drawn && drawnId === null;
      note.textContent = word(value.stopped ? "inside.stopped" : value.ended ? "inside.ended" : "inside.drawn_masked");
      note.hidden = !(value.stopped || value.ended || masked);
      figures.textContent = value.candidates.length ? `${word("inside.undecided")}: ${value.bits} · ${word("inside.kept", { count: value.kept })}` : "";
      draw.disabled = drawnId === null;
      branch.disabled = value.stopped;
      undo.disabled = restart.disabled = !panel.chosen.length && !panel.place;
      text.dataset.tokens = value.tokens.length;
    };

    const step = async () => {
      const value = await panel.ask("step", { place: panel.place, chosen: panel.chosen, params: params ?? {} });
      if (!value) return;
      if (value.error) {
        built = false;
        return panel.status(body, value.error, "inside-error");
      }
      if (!built) build();
      show(value);
    };

    const build = () => {
      built = true;
      inputs.clear();
      const fields = el("fieldset", "step-fields", el("legend", "", word("inside.settings")), ...FIELDS.map(field));
      const key = el("p", "inside-key", el("i", "bar-before"), word("inside.before"), el("i", "bar-after"), word("inside.after"));
      text.setAttribute("role", "group");
      text.setAttribute("aria-label", word("inside.so_far"));
      rows.setAttribute("aria-label", word("inside.candidates"));
      note.setAttribute("role", "status");
      note.hidden = true;
      body.replaceChildren(el("p", "hint", word("inside.next_intro")), text, el("div", "inside-tools", draw, undo, restart, branch), note, fields, key, rows, figures);
    };

    return {
      reset: () => {
        params = null;
        built = false;
      },
      open: () => {
        if (built) return;
        if (panel.told) return panel.status(body, word("inside.told_next"));
        panel.status(body, word("inside.loading"));
        step();
      },
    };
  };
})();
