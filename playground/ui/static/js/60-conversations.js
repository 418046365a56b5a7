// The conversations of this person: search, open, rename in place, delete with undo, grouped by day.
(() => {
  const { el, icon, iconButton, word } = playground;
  let trigger, list, search, value;
  let timer = 0;

  const closeDrawer = () => document.documentElement.classList.remove("drawer");

  const rename = (item, row) => {
    const input = el("input", "rename");
    input.value = item.title;
    input.maxLength = 200;
    input.setAttribute("aria-label", word("conversations.rename"));
    let done = false;
    const finish = (keep) => {
      if (done) return;
      done = true;
      const title = input.value.trim();
      if (keep && title && title !== item.title) trigger("rename", { id: item.id, title });
      draw();
    };
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.isComposing) return;
      if (event.key === "Enter") finish(true);
      if (event.key === "Escape") finish(false);
    });
    input.addEventListener("blur", () => finish(true));
    row.replaceChildren(input);
    input.focus();
    input.select();
  };

  const entry = (item) => {
    const open = el("button", "conversation-open", el("span", "", item.title));
    open.title = item.title;
    open.dataset.id = item.id;
    if (item.id === value.active) open.setAttribute("aria-current", "page");
    open.addEventListener("click", () => {
      closeDrawer();
      playground.leaveEdit();
      trigger("choose", { id: item.id });
    });
    const row = el("li", "conversation", open);
    row.append(
      iconButton("pen", word("conversations.rename_it", { title: item.title }), () => rename(item, row), "small"),
      iconButton("trash", word("conversations.delete_it", { title: item.title }), () => remove(item), "small"),
    );
    return row;
  };

  const remove = (item) => {
    trigger("remove", { id: item.id });
    playground.toast(word("conversations.deleted", { title: item.title }), word("conversations.undo"), () =>
      trigger("restore", { id: item.id }),
    );
  };

  const draw = () => {
    list.replaceChildren();
    let name = null;
    let items = null;
    for (const item of value.items) {
      if (playground.dayGroup(item.updated) !== name) {
        name = playground.dayGroup(item.updated);
        items = el("ul");
        const heading = el("h2", "conversation-group", name);
        list.append(heading, items);
      }
      items.append(entry(item));
    }
    if (!value.items.length) {
      list.append(el("p", "conversations-empty", word(search.value ? "conversations.none_found" : "conversations.none")));
    }
  };

  playground.islands.conversations = (element, send) => {
    trigger = send;
    const create = el("button", "btn new-chat", icon("compose", 18), el("span", "", word("conversations.new")));
    create.id = "new-chat";
    create.addEventListener("click", () => {
      closeDrawer();
      playground.leaveEdit();
      trigger("create", {});
    });
    const compare = el("a", "compare-link", icon("columns", 18), el("span", "", word("shell.compare")));
    compare.href = `/arena/${document.documentElement.lang}/`;
    search = el("input", "search-input");
    search.type = "search";
    search.placeholder = word("conversations.search");
    search.setAttribute("aria-label", word("conversations.search"));
    search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        timer = 0;
        trigger("search", { query: search.value });
      }, 200);
    });
    list = el("nav", "conversation-list");
    list.setAttribute("aria-label", word("conversations.label"));
    element.append(create, compare, el("div", "search", icon("search", 16), search), list);
    addEventListener("popstate", () => {
      trigger("choose", { id: new URL(location.href).searchParams.get("c") || "" });
    });
    return (next) => {
      value = next;
      if (!list.querySelector(".rename")) draw();
      // Another event redrew the whole list: ask for the search again.
      if (next.query !== search.value && !timer) trigger("search", { query: search.value });
    };
  };
})();
