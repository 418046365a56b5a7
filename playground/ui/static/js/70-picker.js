// The model picker: a button with the model's name, and a dialog with search, filters and cards.
(() => {
  const { el, icon, iconButton, word } = playground;
  let models = [];
  let value, trigger, dialog, query, chips, grid, button;
  let filter = "";

  const plain = (text) => text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").replace(/đ/gi, "d").toLowerCase();
  const hit = (model) => plain([model.name, model.id, model.family, model.description, ...model.tags.flat(), ...model.facts.flat()].join(" "));
  const matches = () =>
    models.filter((model) => {
      const words = plain(query.value).split(/\s+/).filter(Boolean);
      return words.every((part) => hit(model).includes(part)) && (!filter || model.tags.some(([tag]) => tag === filter));
    });

  const choose = (id) => {
    dialog.close();
    if (id !== value.chosen) trigger("choose", { id });
    playground.focusComposer();
  };

  const avatar = (model) => {
    const node = el("span", "avatar", [...model.family][0].toUpperCase());
    node.style.setProperty("--hue", [...model.family].reduce((sum, char) => (sum * 31 + char.codePointAt(0)) % 360, 7));
    node.setAttribute("aria-hidden", "true");
    return node;
  };

  const card = (model) => {
    const state = el("span", `badge badge-${model.state}`, word(`picker.${model.state}`));
    const head = el("span", "card-head", avatar(model), el("span", "card-name", el("strong", "", model.name), el("small", "", model.id)), state);
    const facts = el("span", "card-facts");
    for (const [label, text] of model.facts) {
      const fact = el("span", "fact", text);
      fact.title = label;
      facts.append(fact);
    }
    const node = el("button", "card", head, el("span", "card-text", model.description), facts);
    node.dataset.id = model.id;
    node.setAttribute("aria-pressed", String(model.id === value.chosen));
    node.addEventListener("click", () => choose(model.id));
    return node;
  };

  const drawGrid = () => {
    const found = matches();
    grid.replaceChildren(...found.map(card));
    if (!found.length) grid.append(el("p", "picker-empty", word("picker.none")));
  };

  const drawChips = () => {
    const tags = new Map([["", word("picker.all")], ...models.flatMap((model) => model.tags)]);
    const chip = ([tag, name]) => {
      const node = el("button", "chip", name);
      node.setAttribute("aria-pressed", String(tag === filter));
      node.addEventListener("click", () => {
        filter = tag;
        drawChips();
        drawGrid();
      });
      return node;
    };
    chips.replaceChildren(...(tags.size > 2 ? [...tags].map(chip) : []));
  };

  const drawButton = () => {
    button.replaceChildren(el("span", `dot dot-${value.state}`), el("span", "picker-name", value.name), icon("down", 16));
    button.setAttribute("aria-label", word("picker.button", { model: value.name }));
    button.title = word("picker.hint");
  };

  const move = (event) => {
    const cards = [...grid.querySelectorAll(".card")];
    const at = cards.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    const typing = document.activeElement === query;
    if (step && !(typing && event.key !== "ArrowDown")) {
      event.preventDefault();
      const next = at + step;
      (next < 0 ? query : cards[Math.min(next, cards.length - 1)])?.focus();
    } else if (event.key === "Enter" && typing && cards[0]) {
      event.preventDefault();
      choose(cards[0].dataset.id);
    } else if (event.key === "Escape") {
      event.preventDefault(); // a search field would keep the first Escape for itself
      event.stopPropagation();
      dialog.close();
    }
  };

  playground.openPicker = () => {
    if (!dialog || document.querySelector("dialog[open]")) return;
    trigger("open", {});
    query.value = "";
    filter = "";
    drawChips();
    drawGrid();
    dialog.showModal();
    query.focus();
  };

  playground.islands.picker = (element, send) => {
    trigger = send;
    button = el("button", "picker-button");
    button.id = "picker-button";
    button.setAttribute("aria-haspopup", "dialog");
    button.addEventListener("click", playground.openPicker);
    dialog = el("dialog", "dialog picker");
    dialog.id = "picker-dialog";
    dialog.setAttribute("aria-label", word("picker.title"));
    query = el("input");
    query.type = "search";
    query.placeholder = word("picker.search");
    query.setAttribute("aria-label", word("picker.search"));
    query.addEventListener("input", drawGrid);
    chips = el("div", "chips");
    grid = el("div", "cards");
    const close = iconButton("close", word("dialog.close"), () => dialog.close());
    dialog.append(el("div", "dialog-head", icon("search", 18), query, close), chips, grid);
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("keydown", move);
    element.append(button, dialog);
    return (next) => {
      value = next;
      drawButton();
      if (dialog.open) drawGrid();
    };
  };

  playground.islands.models = () => (next) => {
    models = next.models;
    if (!dialog?.open) return;
    drawChips();
    drawGrid();
  };
})();
