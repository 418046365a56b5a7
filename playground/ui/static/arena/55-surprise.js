// Cross-surprise: every answer as every model reads it, tinted by how surprising that model finds each token.
(() => {
  const { el, iconButton, word } = playground;
  let body = null; // of the dialog that waits for its readings
  let ticket = 0;

  const rather = (one) => word(one.masked ? "surprise.rather_masked" : one.kind === "control" ? "surprise.rather_end" : "surprise.rather_token", { token: playground.tokenGlyph(one.text, one.kind) });

  const told = (token, reader) => {
    const parts = [`${reader}: ${token.percent}, ${token.bits}`];
    if (token.rather) parts.push(`${reader} ${rather(token.rather)} (${token.rather.percent})`);
    return parts;
  };

  const label = (token, reading, place) => {
    const name = playground.tokenSpoken(token.text, token.kind);
    if (token.kind === "covered") return word("inside.token_covered", { token: name });
    const mark = place === reading.parting ? [word("surprise.parting_mark")] : [];
    return [name, ...told(token, reading.name), ...mark].join(". ");
  };

  const tokenButton = (token, place, reading, look) => {
    const parts = place === reading.parting && !reading.own;
    const node = el("button", `token token-${token.level ?? token.kind} ${parts ? "token-parting" : ""}`);
    node.textContent = token.kind === "text" ? token.text.replace(/\n/g, "↵\n") : playground.tokenGlyph(token.text, token.kind);
    node.setAttribute("aria-label", label(token, reading, place));
    node.tabIndex = -1;
    for (const event of ["focus", "pointerenter", "click"]) node.addEventListener(event, () => look(place));
    return node;
  };

  const figures = (reading) => {
    const list = el("dl", "inside-figures");
    for (const [name, value, hint] of reading.figures) {
      const term = el("dt", "", name);
      term.title = hint;
      list.append(el("div", "", term, el("dd", "", value)));
    }
    return list;
  };

  const drawReading = (frame, reading) => {
    if (reading.trouble) return frame.replaceChildren(el("p", "inside-status", reading.trouble));
    const card = el("p", "surprise-card");
    let at = -1;
    const look = (place) => {
      if (place === at) return;
      if (at >= 0) [buttons[at].tabIndex, buttons[at].ariaCurrent] = [-1, null];
      at = place;
      [buttons[at].tabIndex, buttons[at].ariaCurrent] = [0, "true"];
      const token = reading.tokens[place];
      const name = el("b", "", playground.tokenGlyph(token.text, token.kind));
      const parts = token.kind === "covered" ? [label(token, reading, place)] : told(token, reading.name);
      card.replaceChildren(name, ...parts.map((part) => el("span", "", part)));
    };
    const buttons = reading.tokens.map((token, place) => tokenButton(token, place, reading, look));
    const said = reading.said.map((sentence) => el("p", "surprise-said", sentence));
    frame.replaceChildren(figures(reading), ...said, playground.tokenRow(buttons), card);
    if (buttons.length) look(reading.parting ?? 0);
  };

  // The other model's reading comes first: that is what the view is about.
  const section = (answer) => {
    const node = el("section", "", el("h3", "side-head", playground.sideBadge(answer.letter), answer.name));
    if (!answer.readings.length) {
      node.append(el("p", "inside-status", word("surprise.no_answer")));
      return node;
    }
    const frame = el("div", "surprise-reading");
    const switches = el("div", "surprise-readers");
    switches.setAttribute("role", "group");
    switches.setAttribute("aria-label", word("surprise.readers", { letter: answer.letter }));
    const order = [...answer.readings.filter((one) => !one.own), ...answer.readings.filter((one) => one.own)];
    const show = (reading) => {
      drawReading(frame, reading);
      order.forEach((one, at) => switches.children[at].setAttribute("aria-pressed", String(one === reading)));
    };
    for (const reading of order) {
      const name = reading.own ? word("surprise.own", { name: reading.name }) : reading.name;
      const button = el("button", "surprise-reader", playground.sideBadge(reading.letter), el("span", "", name));
      button.addEventListener("click", () => show(reading));
      switches.append(button);
    }
    show(order[0]);
    node.append(switches, frame);
    return node;
  };

  const costs = (found) => {
    const row = (kind, cells) => el("tr", "", ...cells.map((cell, at) => el(at ? kind : "th", "", cell)));
    const table = el("table", "surprise-costs", el("thead", "", row("th", [word("surprise.costs_model"), ...found.languages])));
    const rows = el("tbody");
    for (const one of found.costs) {
      const name = el("span", "surprise-name", playground.sideBadge(one.letter), one.name);
      const line = row("td", [name, ...one.tokens]);
      if (!one.tokens.length) {
        const none = el("td", "", word("surprise.costs_none"));
        none.colSpan = found.languages.length;
        line.append(none);
      }
      rows.append(line);
    }
    table.append(rows);
    return el("div", "surprise-foot", el("h3", "", word("surprise.costs")), el("p", "hint", word("surprise.costs_hint")), table);
  };

  playground.openSurprise = (trigger) => {
    document.getElementById("surprise")?.remove();
    const dialog = playground.dialogShell("surprise", word("surprise.title"), "difference surprise");
    const titles = el("div", "dialog-titles", el("h2", "", word("surprise.title")));
    const status = el("p", "inside-status", word("surprise.loading"));
    status.setAttribute("role", "status");
    body = el("div", "surprise-body", status);
    body.tabIndex = 0;
    dialog.append(el("div", "dialog-head", titles, iconButton("close", word("dialog.close"), () => dialog.close())), body);
    dialog.showModal();
    trigger("surprise", { ticket: `s${++ticket}` });
  };

  playground.drawSurprise = (value) => {
    if (!body?.isConnected || value.ticket !== `s${ticket}`) return; // another one was opened since
    if (value.error) return body.replaceChildren(el("p", "inside-status inside-error", value.error));
    const columns = el("div", "difference-columns", ...value.found.answers.map(section));
    body.replaceChildren(el("p", "hint", word("surprise.intro")), playground.tokenLegend(), columns, costs(value.found));
  };
})();
