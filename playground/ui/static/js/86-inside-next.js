// Writing an answer by hand, one token at a time: what the model holds possible, and what the settings make of it.
(() => {
  const { el, icon, word, announce } = playground;
  const FIELDS = [
    ["temperature", 0, 2, 0.05], ["top_k", 0, 100, 1], ["top_p", 0, 1, 0.01], ["min_p", 0, 1, 0.01], ["seed", 0, Number.MAX_SAFE_INTEGER, 1],
  ];
  const SETTLE_MS = 160;

  playground.insideParts.next = (body, panel) => {
    let params = null, last = null, built = false, asking = false, moved = false, turn = 0, timer = 0;
    const inputs = new Map();
    const text = el("p", "so-far"), rows = el("ul", "candidates candidates-next"), figures = el("p", "hint");
    const note = el("p", "inside-status"), penalty = el("p", "hint");
    // Held while an answer is on its way: what stands here belongs to the token before. Nothing loses the focus by it.
    const tool = (id, name, glyph, act, className = "") => {
      const node = el("button", `btn btn-small ${className}`, glyph && icon(glyph, 16), word(name));
      node.id = id;
      node.addEventListener("click", () => node.ariaDisabled !== "true" && act());
      return node;
    };
    const move = (place, chosen) => {
      if (asking) return;
      Object.assign(panel, { place, chosen });
      moved = true;
      step();
    };
    const take = (id) => move(panel.place, [...panel.chosen, id]);
    const draw = tool("inside-draw", "inside.draw", "right", () => take(last.drawn.id), "btn-primary");
    const undo = tool("inside-undo", "inside.undo", "left", () => {
      const { place, chosen } = panel;
      if (chosen.length) move(place, chosen.slice(0, -1));
      else move(place - 1, []);
    });
    const restart = tool("inside-restart", "inside.restart", "retry", () => move(0, []));
    const branch = tool("inside-branch", "inside.branch", "compose", () => panel.branch(panel.place, panel.chosen));

    // What is in force, which a slider that ends earlier, or moves in steps, cannot show.
    const tell = (name) => {
      const { range, value } = inputs.get(name);
      if (document.activeElement !== range) range.value = params[name];
      value.textContent = playground.number(params[name], { maximumFractionDigits: 4 });
      if (range.type === "range") range.setAttribute("aria-valuetext", value.textContent);
    };
    const field = ([name, low, high, unit]) => {
      const range = el("input"), value = el("output", "number-shown");
      range.type = name === "seed" ? "number" : "range";
      range.id = `inside-${name}`;
      Object.assign(range, { min: low, max: high, step: unit });
      const label = el("label", "", word(`settings.${name}`));
      label.htmlFor = range.id;
      range.addEventListener("input", () => {
        const fits = range.value !== "" && range.checkValidity();
        range.setAttribute("aria-invalid", String(!fits));
        if (!fits) return;
        params = { ...params, [name]: Number(range.value) };
        tell(name);
        clearTimeout(timer);
        timer = setTimeout(step, SETTLE_MS);
      });
      range.addEventListener("change", () => {
        range.value = params[name]; // what was not taken does not stay
        range.setAttribute("aria-invalid", "false");
      });
      inputs.set(name, { range, value });
      return el("div", `step-field step-${name}`, label, range, name === "seed" ? null : value);
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

    // The tools as they are after the last answer, or all held.
    const hold = (waits) => {
      asking = waits;
      const { drawn, stopped } = last ?? {};
      const started = panel.chosen.length || panel.place;
      for (const [node, may] of [[draw, drawn && drawn.id !== null], [undo, started], [restart, started], [branch, !stopped]]) {
        node.ariaDisabled = String(waits || !may);
      }
    };
    const explain = (text, kind = "") => {
      note.className = `inside-status ${kind}`;
      note.textContent = text;
      note.hidden = !text;
    };
    // What a step led to, for people who do not see it.
    const say = (value, told) => {
      const spoken = value.drawn && panel.spoken(value.drawn.text, value.drawn.kind);
      const here = value.tokens.length ? word("inside.said_step", { token: panel.spoken(value.tokens.at(-1), "text") }) : word("inside.so_far_empty");
      announce(`${here} ${told || (spoken ? word("inside.said_drawn", { token: spoken, share: value.drawn.share }) : "")}`);
    };
    const drawRows = (value) => {
      const at = [...rows.children].findIndex((node) => node.contains(document.activeElement));
      rows.replaceChildren(...value.candidates.map(row));
      if (at >= 0) (rows.children[at]?.querySelector("button") ?? rows.querySelector("button") ?? undo).focus();
    };

    const show = (value) => {
      last = { ...value, place: panel.place, chosen: panel.chosen };
      params ??= value.params;
      for (const name of inputs.keys()) tell(name);
      const made = value.tokens.slice(panel.place).join("");
      const kept = value.text.slice(0, value.text.length - made.length);
      text.replaceChildren(...(value.text ? [el("span", "", kept), el("mark", "", made)] : [el("em", "", word("inside.so_far_empty"))]));
      drawRows(value);
      const masked = value.drawn && value.drawn.id === null;
      const told = value.stopped ? word("inside.stopped") : value.ended ? word("inside.ended") : masked ? word("inside.drawn_masked") : "";
      explain(told);
      figures.textContent = value.candidates.length ? `${word("inside.undecided")}: ${value.bits} · ${word("inside.kept", { count: value.kept })}. ${word("inside.undecided_hint")}` : "";
      penalty.textContent = value.penalty;
      penalty.hidden = !value.penalty;
      text.dataset.tokens = value.tokens.length;
      if (moved) say(value, told);
      moved = false;
    };

    const step = async () => {
      const mine = ++turn;
      hold(true);
      const value = await panel.ask("step", { place: panel.place, chosen: panel.chosen, params: params ?? {} });
      if (mine !== turn || !value) return;
      if (!value.error) {
        if (!built) build();
        show(value);
      } else if (built) {
        Object.assign(panel, { place: last.place, chosen: last.chosen });
        explain(value.error, "inside-error");
        announce(value.error);
      } else {
        panel.fail(body, value.told ? { ...value, error: word("inside.told_next") } : value, open);
      }
      hold(false);
    };

    const build = () => {
      built = true;
      inputs.clear();
      const fields = el("fieldset", "step-fields", el("legend", "", word("inside.settings")), ...FIELDS.map(field));
      const key = el("p", "inside-key", el("i", "bar-before"), word("inside.before"), el("i", "bar-after"), word("inside.after"));
      text.setAttribute("role", "group");
      text.setAttribute("aria-label", word("inside.so_far"));
      rows.setAttribute("aria-label", word("inside.candidates"));
      body.replaceChildren(el("p", "hint", word("inside.next_intro")), text, el("div", "inside-tools", draw, undo, restart, branch), note, fields, penalty, key, rows, figures);
    };

    const open = () => {
      if (built) return;
      if (panel.told) return panel.status(body, word("inside.told_next"));
      panel.status(body, word("inside.loading"));
      step();
    };
    return {
      reset: () => {
        [params, last, built, moved] = [null, null, false, false];
        turn += 1; // whatever is on its way belongs to another answer
        clearTimeout(timer);
      },
      open,
    };
  };
})();
