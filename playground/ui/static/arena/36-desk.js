// The batches: how far each is, and for the operator a form that begins one from a file of questions.
(() => {
  const { el, icon, word } = playground;
  const POLL = 1500; // milliseconds between two looks at a batch that is worked on
  const PATIENCE = 30000;
  const state = { frame: null, value: null, trigger: null, file: null, chosen: new Set(), problem: "", sending: false };
  let timer = 0;
  let list, form;

  const onDesk = () => document.documentElement.dataset.tab === "duels" && document.documentElement.dataset.phase === "desk";
  playground.openDesk = () => state.trigger && state.trigger("list", {});

  const act = (batch, label, onClick, options = {}) => {
    const node = el("button", `btn btn-small ${options.className ?? ""}`, label, options.icon ? icon(options.icon, 16) : "");
    node.setAttribute("aria-label", `${label}: ${batch.title}`); // there is one on every card
    node.addEventListener("click", onClick);
    node.dataset.act = options.act;
    return node;
  };

  const ACTS = {
    grade: (batch) => act(batch, word("duels.grade"), () => playground.enterDuel(batch.id), { act: "grade", className: "btn-primary", icon: "right" }),
    results: (batch) => act(batch, word("duels.results"), () => playground.enterDuel(batch.id), { act: "results", icon: "right" }),
    halt: (batch) => act(batch, word("duels.halt"), () => state.trigger("halt", { id: batch.id }), { act: "halt" }),
    go_on: (batch) => act(batch, word("duels.go_on"), () => state.trigger("go_on", { id: batch.id }), { act: "go_on" }),
  };

  const batchCard = (batch) => {
    const date = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" }).format(new Date(batch.created * 1000));
    const facts = el("p", "batch-facts", ...[...batch.facts, date].map((fact) => el("span", "", fact)));
    const title = el("h4", "batch-title", batch.title);
    title.tabIndex = -1;
    title.dataset.act = "title";
    const card = el("li", "batch", title, facts);
    card.dataset.id = batch.id;
    if (batch.status) card.append(el("p", "batch-status", batch.working ? el("span", "live-dots", el("i"), el("i"), el("i")) : "", el("span", "", batch.status)));
    if (batch.fraction !== null) card.append(playground.meter(batch.fraction, batch.status));
    if (batch.problem) card.append(el("p", "batch-problem", batch.problem));
    const graded = el("p", "batch-graded", batch.graded);
    const acts = el("div", "batch-acts", ...batch.may.map((name) => ACTS[name](batch)));
    card.append(el("div", "batch-foot", graded, acts));
    if (batch.graded_fraction && !batch.working) graded.after(playground.meter(batch.graded_fraction, batch.graded));
    return card;
  };

  const drawList = () => {
    const { value } = state;
    const had = list.contains(document.activeElement) ? [document.activeElement.closest(".batch")?.dataset.id, document.activeElement.dataset.act] : null;
    const cards = value.batches.map(batchCard);
    const empty = el("div", "board-empty", icon("columns", 28), el("p", "board-empty-text", el("strong", "", word("duels.none")), " ", word(value.operator ? "duels.none_operator" : "duels.none_visitor")));
    list.replaceChildren(el("h3", "visually-hidden", word("duels.list")), cards.length ? el("ul", "batches", ...cards) : empty);
    const at = (name) => list.querySelector(`[data-id="${had[0]}"] ${name}`);
    if (had) (at(`[data-act="${had[1]}"]`) ?? at(".batch-title") ?? state.frame.querySelector(".desk-title")).focus();
  };

  // What became of the batches since the last look: beginnings, quarters of the way, ends and problems.
  const tell = (before, value) => {
    const news = value.batches.flatMap((batch) => {
      const known = before?.batches.find((one) => one.id === batch.id);
      if (!known || JSON.stringify(stateOf(known)) === JSON.stringify(stateOf(batch))) return [];
      const said = batch.working ? batch.status : [batch.problem, batch.status || word("duels.said_done")].filter(Boolean).join(" ");
      return [`${batch.title}: ${said}`];
    });
    if (news.length && onDesk()) playground.announce(news.join(" "));
  };
  const stateOf = ({ working, fraction, problem }) => [working, working && Math.floor(4 * fraction), problem];

  const check = () => {
    const ready = state.file && state.chosen.size >= 2 && !state.sending;
    form.begin.ariaDisabled = String(!ready); // it keeps the focus
    form.name.textContent = state.file?.name ?? "";
    form.choose.lastChild.textContent = word(state.file ? "duels.file_other" : "duels.file_choose");
    form.problem.textContent = state.problem;
    form.problem.hidden = !state.problem;
    for (const [id, node] of form.models) {
      node.setAttribute("aria-pressed", String(state.chosen.has(id)));
      node.disabled = !state.chosen.has(id) && state.chosen.size >= state.value.most_models;
    }
  };

  const complain = (problem) => {
    Object.assign(state, { problem, sending: false });
    check();
  };

  const takeFile = (file) => {
    if (!file) return;
    state.file = file;
    complain(file.size > state.value.most_bytes ? word("duels.bad_large") : "");
    if (state.problem) state.file = null;
    check();
  };

  const inBase64 = (file) => new Promise((done, fail) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => fail(reader.error);
    reader.readAsDataURL(file);
  });

  const begin = async () => {
    const [file, models] = [state.file, [...state.chosen].join(",")];
    complain("");
    state.sending = true;
    check();
    setTimeout(() => state.sending && complain(word("duels.lost")), PATIENCE);
    try {
      // A file that was taken away since it was chosen cannot be read; an empty one has no data.
      state.trigger("begin", { name: file.name, models, data: file.size ? await inBase64(file) : "" });
    } catch {
      complain(word("duels.bad_kind"));
    }
  };

  const buildForm = (value) => {
    const input = el("input", "visually-hidden");
    Object.assign(input, { type: "file", id: "duel-file", accept: value.endings.join(",") });
    input.setAttribute("aria-label", word("duels.file"));
    input.addEventListener("change", () => takeFile(input.files[0]));
    const choose = el("label", "btn", icon("plus", 16), el("span", "", ""));
    choose.htmlFor = "duel-file";
    const name = el("span", "file-name");
    const drop = el("div", "file-drop", input, choose, name, el("p", "quiet", value.hint));
    drop.addEventListener("dragover", (event) => event.preventDefault());
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      takeFile(event.dataTransfer.files[0]);
    });
    const models = new Map(value.models.map((model) => {
      const chip = el("button", "chip", model.name);
      chip.title = model.note;
      chip.dataset.id = model.id;
      chip.addEventListener("click", () => {
        if (!state.chosen.delete(model.id)) state.chosen.add(model.id);
        check();
      });
      return [model.id, chip];
    }));
    const [here, elsewhere] = [true, false].map((ready) => value.models.filter((model) => !model.note === ready).map((model) => models.get(model.id)));
    const chips = el("div", "model-parts", el("div", "model-chips", ...here));
    chips.setAttribute("role", "group");
    chips.setAttribute("aria-label", word("duels.models_label"));
    if (elsewhere.length) {
      const more = el("details", "models-more", el("summary", "", word("duels.models_more", { count: playground.number(elsewhere.length) })));
      more.append(el("div", "model-chips", ...elsewhere));
      chips.append(more);
    }
    const problem = el("p", "batch-problem");
    problem.id = "duel-problem";
    problem.setAttribute("role", "alert");
    const start = el("button", "btn btn-primary", word("duels.begin"));
    start.id = "duel-begin";
    start.addEventListener("click", () => start.ariaDisabled !== "true" && begin());
    const part = (label, hint, ...children) => el("div", "form-part", el("span", "control-label", label), ...children, hint ? el("p", "quiet", hint) : "");
    const box = el("section", "desk-form", el("h3", "", word("duels.new")), part(word("duels.file"), "", drop),
      part(word("duels.models_label"), word("duels.models_hint", { most: value.most_models }), chips), problem, start);
    form = { box, input, choose, name, problem, begin: start, models };
    return box;
  };

  const build = (value) => {
    list = el("section", "desk-list");
    list.setAttribute("aria-label", word("duels.list"));
    const title = el("h2", "desk-title", word("duels.title"));
    title.tabIndex = -1;
    const head = el("div", "board-head", el("div", "", title, el("p", "quiet", word("duels.text"))));
    const body = el("div", "desk-body", list);
    if (value.operator) body.append(buildForm(value));
    body.classList.toggle("with-form", value.operator);
    state.frame.replaceChildren(head, body);
  };

  const settle = (value) => {
    if (!form) return;
    if (value.problem || state.sending) complain(value.problem);
    if (value.begun) {
      Object.assign(state, { file: null });
      form.input.value = "";
      document.getElementById("desk").scrollTop = 0;
      playground.toast(word("duels.begun"));
    }
    check();
  };

  playground.islands.desk = (frame, trigger) => {
    Object.assign(state, { frame, trigger });
    return (value) => {
      const answered = state.sending && !value.problem && !value.begun;
      tell(state.value, value);
      state.value = value;
      if (!list || Boolean(form) !== value.operator) {
        form = null;
        build(value);
      }
      drawList();
      if (answered) check(); // a look at the list that was on its way: the file is still being taken
      else settle(value);
      // A look that finds nothing new draws nothing, so the next one does not wait for it.
      const working = value.batches.some((batch) => batch.working);
      if (working && !timer) timer = setInterval(() => onDesk() && state.trigger("list", {}), POLL);
      else if (!working) timer = clearInterval(timer) ?? 0;
    };
  };
})();
