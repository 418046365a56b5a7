// What opens over the columns: the list of models for one of them, and the words in which answers differ.
(() => {
  const { el, icon, iconButton, word, plain } = playground;
  let chooser = null;
  let models = [];
  let send;

  const shell = (playground.dialogShell = (id, label, className) => {
    const dialog = el("dialog", `dialog ${className}`);
    dialog.id = id;
    dialog.setAttribute("aria-label", label);
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    document.body.append(dialog);
    return dialog;
  });

  const card = (model) => {
    const facts = el("span", "card-facts");
    for (const [label, text] of model.facts) {
      const fact = el("span", "fact", text);
      fact.title = label;
      facts.append(fact);
    }
    const badge = model.state === "ready" ? null : el("span", `badge badge-${model.state}`, word(`picker.${model.state}`));
    const head = el("span", "card-head", el("span", "card-name", el("strong", "", model.name), el("small", "", model.id)), badge);
    const main = el("button", "card-main", head, el("span", "card-text", model.description), facts);
    main.setAttribute("aria-pressed", String(model.id === chooser.chosen));
    main.addEventListener("click", () => {
      chooser.dialog.close();
      if (model.id !== chooser.chosen) chooser.then(model.id);
    });
    const node = el("div", "card", main);
    node.dataset.id = model.id;
    return node;
  };

  const drawModels = () => {
    const parts = plain(chooser.query.value).split(/\s+/).filter(Boolean);
    const text = (model) => plain([model.name, model.id, model.family, model.description, ...model.tags.flat(), ...model.facts.flat()].join(" "));
    const found = models.filter((model) => parts.every((part) => text(model).includes(part)));
    chooser.grid.replaceChildren(...found.map(card));
    if (!found.length && models.length) chooser.grid.append(el("p", "picker-empty", word("picker.none")));
  };

  const move = (event) => {
    const { grid, query } = chooser;
    const cards = [...grid.querySelectorAll(".card-main")];
    const at = cards.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    const typing = document.activeElement === query;
    if (step && !(typing && event.key !== "ArrowDown")) {
      event.preventDefault();
      (at + step < 0 ? query : cards[Math.min(at + step, cards.length - 1)])?.focus();
    } else if (event.key === "Enter" && typing && cards[0]) {
      event.preventDefault();
      cards[0].click();
    } else if (event.key === "Escape") {
      event.preventDefault(); // a search field would keep the first Escape for itself
      event.stopPropagation();
      chooser.dialog.close();
    }
  };

  const buildChooser = () => {
    const dialog = shell("chooser", word("picker.title"), "picker");
    const query = el("input");
    query.type = "search";
    query.placeholder = word("picker.search");
    query.setAttribute("aria-label", word("picker.search"));
    query.addEventListener("input", drawModels);
    const grid = el("div", "cards");
    dialog.append(el("div", "dialog-head", icon("search", 18), query, iconButton("close", word("dialog.close"), () => dialog.close())), grid);
    dialog.addEventListener("keydown", move);
    chooser = { dialog, query, grid, chosen: "", then: null };
  };

  playground.chooseModel = (chosen, then) => {
    if (document.querySelector("dialog[open]")) return;
    if (!chooser) buildChooser();
    Object.assign(chooser, { chosen, then });
    chooser.query.value = "";
    drawModels();
    chooser.dialog.showModal();
    chooser.query.focus();
    send("models", {});
  };

  const difference = (columns) => {
    document.getElementById("difference")?.remove();
    const dialog = shell("difference", word("arena.differences"), "difference");
    const titles = el("div", "dialog-titles", el("h2", "", word("arena.differences")), el("p", "dialog-subtitle", word("arena.differences_hint")));
    const sides = el("div", "difference-columns");
    for (const side of columns) {
      const text = el("p", "difference-text");
      for (const part of side.stretches) text.append(part.own ? el("mark", "", part.text) : part.text);
      const count = el("p", "difference-count", word("arena.own_words", { count: playground.number(side.own_words) }));
      const head = el("h3", "side-head", playground.sideBadge(side.letter), side.name);
      sides.append(el("section", "", head, count, text));
    }
    sides.tabIndex = 0;
    dialog.append(el("div", "dialog-head", titles, iconButton("close", word("dialog.close"), () => dialog.close())), sides);
    dialog.showModal();
  };

  const OPEN = {
    chat: (value) => location.assign(`/${document.documentElement.lang}/?c=${encodeURIComponent(value.id)}`),
    difference: (value) => difference(value.columns),
    surprise: (value) => playground.drawSurprise(value),
    models: (value) => {
      models = value.models;
      if (chooser?.dialog.open) drawModels();
    },
  };

  playground.islands.parcel = () => (value) => OPEN[value.kind](value);
  playground.chooserSends = (trigger) => (send = trigger);
})();
