// Earlier comparisons and battles, in a drawer: open again, delete with undo, grouped by day.
(() => {
  const { el, icon, iconButton, word, plain } = playground;
  const state = { value: null, trigger: null };
  let drawer, list, query;

  const remove = (item) => {
    state.trigger("remove", { id: item.id });
    drawer.close(); // the toast with its undo would lie below
    playground.toast(word("history.deleted", { title: item.title }), word("history.undo"), () => state.trigger("restore", { id: item.id }));
  };

  const entry = (item) => {
    const about = el("span", "past-note", item.blind ? el("span", "past-kind", item.kind) : "", item.note);
    const open = el("button", "conversation-open", el("span", "past-title", item.title), about);
    open.title = item.title;
    open.dataset.id = item.id;
    if (item.id === state.value.active) open.setAttribute("aria-current", "page");
    open.addEventListener("click", () => {
      drawer.close();
      state.trigger("open", { id: item.id });
    });
    return el("li", "conversation", open, iconButton("trash", word("history.delete_it", { title: item.title }), () => remove(item), "small"));
  };

  const draw = () => {
    const parts = plain(query.value).split(/\s+/).filter(Boolean);
    const found = state.value.items.filter((item) => parts.every((part) => plain(`${item.title} ${item.kind} ${item.note}`).includes(part)));
    list.replaceChildren();
    let name = null;
    let items = null;
    for (const item of found) {
      if (playground.dayGroup(item.updated) !== name) {
        name = playground.dayGroup(item.updated);
        items = el("ul");
        list.append(el("h3", "conversation-group", name), items);
      }
      items.append(entry(item));
    }
    if (!found.length) list.append(el("p", "conversations-empty", word(parts.length ? "history.none_found" : "history.none")));
  };

  const build = () => {
    drawer = el("dialog", "history");
    drawer.id = "history-drawer";
    drawer.setAttribute("aria-label", word("history.open"));
    drawer.addEventListener("click", (event) => event.target === drawer && drawer.close());
    query = el("input", "search-input");
    query.type = "search";
    query.placeholder = word("history.filter");
    query.setAttribute("aria-label", word("history.filter"));
    query.addEventListener("input", () => state.value && draw());
    list = el("nav", "conversation-list");
    list.setAttribute("aria-label", word("history.open"));
    const head = el("div", "history-head", el("h2", "", word("history.open")), iconButton("close", word("history.close"), () => drawer.close()));
    drawer.append(head, el("div", "search", icon("search", 16), query), list);
    document.body.append(drawer);
  };

  playground.openHistory = () => {
    if (document.querySelector("dialog[open]")) return;
    if (!drawer) build();
    query.value = "";
    drawer.showModal();
    state.trigger("list", {});
  };

  playground.islands.history = (_, trigger) => {
    state.trigger = trigger;
    return (value) => {
      state.value = value;
      if (drawer) draw();
    };
  };
})();
