// The model picker: a button with the model's name, and a dialog with search, filters, cards, and the way to more models.
(() => {
  const { el, icon, iconButton, word, announce, plain } = playground;
  const POLL_MS = 700;
  const HERE = ["loaded", "loading", "ready"];
  let shown = { models: [], coming: true };
  let value, trigger, dialog, query, chips, grid, button, poll;
  let filter = "";

  const hit = (model) => plain([model.name, model.id, model.family, model.description, ...model.tags.flat(), ...model.facts.flat()].join(" "));
  const passes = (model) => !filter || (filter === "here" ? HERE.includes(model.state) : model.tags.some(([tag]) => tag === filter));
  const matches = () =>
    shown.models.filter((model) => {
      const words = plain(query.value).split(/\s+/).filter(Boolean);
      return words.every((part) => hit(model).includes(part)) && passes(model);
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

  const factRow = (facts) => {
    const row = el("span", "card-facts");
    for (const [label, text] of facts) {
      const fact = el("span", "fact", text);
      fact.title = label;
      row.append(fact);
    }
    return row;
  };

  const act = (name, label, onClick, className = "") => {
    const node = el("button", `card-act ${className}`, label);
    node.dataset.act = name;
    node.addEventListener("click", onClick);
    return node;
  };

  const bar = (job) => {
    const node = el("div", `bar ${job.fraction === null ? "bar-open" : ""}`);
    node.setAttribute("role", "progressbar");
    node.setAttribute("aria-label", job.text);
    if (job.fraction !== null) {
      node.setAttribute("aria-valuenow", String(Math.round(100 * job.fraction)));
      node.style.setProperty("--done", job.fraction);
    }
    return el("div", "card-job", node, el("span", "card-job-text", job.text));
  };

  const note = (model) => {
    if (model.note) return model.note;
    if (!["absent", "partly"].includes(model.state)) return "";
    if (shown.on_ask) return word("picker.elsewhere");
    return shown.operator ? "" : word("picker.ask_operator");
  };

  const remove = (model) => confirm(word("picker.remove_sure", { model: model.name })) && trigger("remove", { id: model.id });

  const foot = (model) => {
    const parts = [];
    if (model.job) parts.push(bar(model.job));
    if (model.job && shown.operator) parts.push(act("halt", word("picker.stop"), () => trigger("halt", { id: model.id })));
    if (model.fetch) parts.push(act("fetch", model.fetch, () => trigger("fetch", { id: model.id }), "card-act-main"));
    if (model.removable && !model.job) parts.push(act("remove", word("picker.remove"), () => remove(model)));
    if (model.link) {
      const link = el("a", "card-link", word("picker.page"), icon("external", 13));
      Object.assign(link, { href: model.link, target: "_blank", rel: "noopener noreferrer" });
      parts.push(link);
    }
    return parts.length ? el("div", "card-foot", ...parts) : null;
  };

  const card = (model) => {
    const state = el("span", `badge badge-${model.state}`, word(`picker.${model.state}`));
    const head = el("span", "card-head", avatar(model), el("span", "card-name", el("strong", "", model.name), el("small", "", model.id)), state);
    const said = note(model);
    const plan = model.plan && el("span", `card-plan plan-${model.plan[0]}`, model.plan[1]);
    const main = el("button", "card-main", head, el("span", "card-text", model.description), factRow(model.facts), plan, said && el("span", "card-note", said));
    main.dataset.id = model.id;
    main.setAttribute("aria-pressed", String(model.id === value.chosen));
    main.addEventListener("click", () => choose(model.id));
    const node = el("div", "card", main, foot(model));
    node.dataset.id = model.id;
    return node;
  };

  // Cards are drawn anew with every change; whoever stands on one of their buttons stays there.
  const drawGrid = () => {
    const at = document.activeElement;
    const stand = grid.contains(at) ? [at.closest(".card, .found")?.dataset.id, at.dataset.act ?? ""] : null;
    const found = matches();
    grid.replaceChildren(...found.map(card));
    if (!found.length) grid.append(el("p", "picker-empty", word(shown.coming ? "picker.coming" : "picker.none")));
    if (shown.operator) grid.append(more.node);
    if (stand?.[0]) {
      const same = [...grid.querySelectorAll(".card")].find((node) => node.dataset.id === stand[0]);
      (same?.querySelector(stand[1] ? `[data-act=${stand[1]}]` : ".card-main") ?? same?.querySelector(".card-main"))?.focus();
    } else if (stand === null && more.node?.contains(at)) at.focus();
  };

  const drawChips = () => {
    const tags = new Map([["", word("picker.all")], ["here", word("picker.here")], ...shown.models.flatMap((model) => model.tags)]);
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

  // More models: a search of the Hub, or a reference that was pasted.
  const more = {};
  const select = (label, options) => {
    const node = el("select", "more-select");
    node.setAttribute("aria-label", label);
    for (const [key, name] of options) node.append(Object.assign(el("option", "", name), { value: key }));
    return node;
  };

  const looksLikeReference = (text) => /^https?:\/\/|^[\w.-]+\/[\w.-]+$|^[/~.\\]|^[a-z]:\\/i.test(text.trim());

  const drawFinds = (finds) => {
    more.status.textContent = "";
    if (!finds) return;
    if (finds.problem) {
      more.results.replaceChildren(el("p", "more-problem", finds.problem));
      announce(finds.problem);
    } else if (finds.added) {
      const model = shown.models.find(({ id }) => id === finds.added);
      const said = word("picker.added", { model: model?.name ?? finds.added });
      more.results.replaceChildren(el("p", "more-said", said));
      announce(said);
      query.value = model?.id ?? "";
      drawGrid();
      grid.querySelector(".card-main")?.focus();
    } else if (finds.query) {
      const row = (found) => {
        const node = el("div", "found", el("span", "found-name", el("strong", "", found.repo), factRow(found.facts)));
        node.dataset.id = found.repo;
        node.append(act("add", word("picker.add"), () => add(found.repo)));
        return node;
      };
      more.results.replaceChildren(...(finds.cards.length ? finds.cards.map(row) : [el("p", "picker-empty", word("picker.hub_none"))]));
      announce(word("picker.hub_found", { count: finds.cards.length }));
    }
  };

  const add = (reference) => {
    more.status.textContent = "…";
    trigger("bring", { reference });
  };

  const search = (event) => {
    event.preventDefault();
    const text = more.query.value.trim();
    if (!text) return;
    if (looksLikeReference(text)) return add(text);
    more.status.textContent = word("picker.searching");
    trigger("search", { query: text, size: more.size.value, licence: more.licence.value, sort: more.sort.value });
  };

  const buildMore = () => {
    more.query = Object.assign(el("input", "more-query"), { type: "text", placeholder: word("picker.hub_query"), autocomplete: "off", spellcheck: false });
    more.query.setAttribute("aria-label", word("picker.hub_query"));
    more.go = Object.assign(el("button", "card-act card-act-main", word("picker.hub_search")), { type: "submit" });
    const label = () => {
      const text = more.query.value.trim();
      more.go.textContent = looksLikeReference(text) ? word("picker.add") : word("picker.hub_search");
    };
    more.query.addEventListener("input", label);
    more.sort = select(word("picker.sort"), ["downloads", "likes", "trending_score", "last_modified"].map((key) => [key, word(`picker.sort_${key}`)]));
    more.size = select(word("picker.size"), [["", word("picker.size_any")], ...["1", "4", "9", "more"].map((key) => [key, word(`picker.size_${key}`)])]);
    more.licence = select(word("picker.licence"), [["", word("picker.licence_any")], ...["apache-2.0", "mit", "gemma", "llama3.2"].map((key) => [key, key])]);
    more.status = el("span", "more-status");
    more.results = el("div", "more-results");
    const form = el("form", "more-form", more.query, more.go, el("div", "more-choices", more.sort, more.size, more.licence, more.status));
    form.addEventListener("submit", search);
    more.hint = el("p", "more-hint");
    more.node = el("section", "more", el("h3", "", word("picker.hub")), more.hint, form, more.results);
  };

  const move = (event) => {
    if (event.key === "Escape") {
      event.preventDefault(); // a search field would keep the first Escape for itself
      event.stopPropagation();
      dialog.close();
      return;
    }
    const at = document.activeElement;
    if (more.node.contains(at) || at.matches(".card-foot *")) return;
    const cards = [...grid.querySelectorAll(".card-main")];
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    const typing = at === query;
    if (step && !(typing && event.key !== "ArrowDown")) {
      event.preventDefault();
      const next = cards.indexOf(at) + step;
      (next < 0 ? query : cards[Math.min(next, cards.length - 1)])?.focus();
    } else if (event.key === "Enter" && typing && cards[0]) {
      event.preventDefault();
      choose(cards[0].closest(".card").dataset.id);
    }
  };

  // While something is on its way, the dialog asks how far it is.
  const follow = () => {
    clearTimeout(poll);
    if (dialog.open && shown.models.some((model) => model.job || model.state === "loading")) {
      poll = setTimeout(() => dialog.open && trigger("open", {}), POLL_MS);
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
    buildMore();
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
    shown = next;
    if (!dialog?.open) return;
    more.hint.textContent = word(next.online ? "picker.hub_hint" : "picker.offline");
    drawChips();
    drawGrid();
    drawFinds(next.finds);
    follow();
  };
})();
