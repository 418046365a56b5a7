// The token lens: the answer as tokens tinted by probability; the one that is looked at says what else was possible.
(() => {
  const { el, icon, word } = playground;
  const HOVER_MS = 140;
  const PINNED_MS = 600; // longer after a click, so that the pointer can travel to the card

  playground.insideParts.tokens = (body, panel) => {
    let tokens = null, buttons = [], card = null, at = -1, pinned = false, timer = 0;
    const known = new Map();

    const label = (token) => {
      const shown = { token: panel.spoken(token.text, token.kind), percent: token.percent };
      if (token.kind === "covered") return word("inside.token_covered", shown);
      if (token.kind === "untold") return word("inside.token_untold", shown);
      return token.percent ? `${shown.token}, ${shown.percent}` : shown.token;
    };

    const button = (token, place) => {
      const node = el("button", `token token-${token.level ?? token.kind}`);
      node.textContent = ["text", "untold"].includes(token.kind) ? token.text.replace(/\n/g, "↵\n") : panel.glyph(token.text, token.kind);
      node.setAttribute("aria-label", label(token));
      node.tabIndex = -1;
      node.addEventListener("focus", () => look(place));
      node.addEventListener("click", () => {
        pinned = true;
        look(place);
      });
      // A page that scrolls under a pointer that rests moves nothing.
      node.addEventListener("pointermove", (event) => {
        if (event.pointerType !== "mouse" || place === at) return;
        clearTimeout(timer);
        timer = setTimeout(() => {
          pinned = false;
          look(place);
        }, pinned ? PINNED_MS : HOVER_MS);
      });
      node.addEventListener("pointerleave", () => clearTimeout(timer));
      return node;
    };

    const row = (one, place) => {
      const name = el("span", "candidate-text", one.id === null ? word("inside.masked") : panel.glyph(one.text, one.kind));
      const can = one.id !== null && !one.stood && !panel.told;
      const node = el(can ? "button" : "div", `candidate ${one.id === null ? "candidate-masked" : ""}`, name,
        panel.bar([["bar-after", one.before]]), el("span", "candidate-percent", one.percent),
        one.stood ? el("span", "candidate-note", word("inside.stood")) : null);
      if (can) {
        const shown = { token: panel.spoken(one.text, one.kind), percent: one.percent };
        node.setAttribute("aria-label", word("inside.continue_with", shown));
        node.addEventListener("click", () => panel.branch(place, [one.id]));
      }
      return el("li", "", node);
    };

    const figures = (token) => {
      const list = el("dl", "inside-figures");
      const add = (name, value) => list.append(el("div", "", el("dt", "", word(name)), el("dd", "", value)));
      if (token.percent) add("inside.probability", token.percent);
      if (token.bits) add("inside.undecided", token.bits);
      return list;
    };

    const draw = (value) => {
      const { token, alternatives, place } = value;
      const title = el("h3", "", panel.glyph(token.text, token.kind));
      title.setAttribute("aria-label", panel.spoken(token.text, token.kind));
      const step = el("button", "btn btn-small", icon("right", 16), word("inside.step_here"));
      step.id = "inside-step-here";
      step.addEventListener("click", () => {
        Object.assign(panel, { place, chosen: [] });
        panel.views.next.reset();
        panel.show("next");
      });
      const list = el("ul", "candidates");
      list.setAttribute("aria-label", word(token.kind === "end" || token.kind === "more" ? "inside.alternatives_next" : "inside.alternatives"));
      list.append(...alternatives.map((one) => row(one, place)));
      const head = el("div", "inside-card-head", title, figures(token), panel.told ? null : step);
      const told = token.kind === "untold" ? "inside.untold_hint" : "inside.untold_none";
      const none = panel.told && token.kind !== "covered" ? told : "inside.alternatives_none";
      const hint = el("p", "hint", word(panel.told ? "inside.told_next" : "inside.continue_hint"));
      const entropy = token.bits ? el("p", "hint", word("inside.undecided_hint")) : null;
      card.replaceChildren(head, ...(alternatives.length ? [list, hint] : [el("p", "hint", word(none))]), entropy ?? "");
    };

    const look = async (place) => {
      clearTimeout(timer);
      if (place === at) return;
      buttons[at]?.removeAttribute("aria-current");
      if (at >= 0) buttons[at].tabIndex = -1;
      at = place;
      buttons[place].tabIndex = 0;
      buttons[place].setAttribute("aria-current", "true");
      if (!known.has(place)) {
        const value = await panel.ask("place", { place });
        if (value?.error && place === at) {
          panel.fail(card, value, () => {
            at = -1;
            look(place);
          });
        }
        if (!value || value.error) return;
        known.set(place, value);
      }
      if (place === at) draw(known.get(place));
    };

    const build = (value) => {
      tokens = value.tokens;
      if (!tokens.length) return panel.status(body, word("inside.no_text"));
      buttons = tokens.map(button);
      const lens = playground.tokenRow(buttons, () => (pinned = true));
      card = el("section", "inside-card");
      card.setAttribute("aria-label", word("inside.alternatives"));
      const recut = value.recut ? [el("p", "inside-status", word("inside.recut"))] : [];
      const told = value.told ? [el("p", "hint", word("inside.told_intro"))] : [];
      body.replaceChildren(el("p", "hint", word("inside.tokens_intro")), ...told, playground.tokenLegend(), ...recut, lens, card);
      look(0);
    };

    const open = async () => {
      if (tokens) return;
      const value = await panel.load(body, "tokens", open);
      if (value) build(value);
    };
    return {
      reset: () => {
        [tokens, buttons, at, pinned] = [null, [], -1, false];
        clearTimeout(timer);
        known.clear();
      },
      open,
    };
  };
})();
