// The head of the arena: the way back to the chat, the three tabs, language and theme.
(() => {
  const { el, icon, iconButton, word } = playground;
  const TABS = ["sides", "battle", "duels", "board"];

  const languages = (current) => {
    const links = el("div", "languages");
    links.setAttribute("role", "group");
    links.setAttribute("aria-label", word("shell.language"));
    for (const [code, name] of Object.entries(playground.languages)) {
      const link = el("a", "language", code.toUpperCase());
      Object.assign(link, { lang: code, title: name, id: `language-${code}` });
      link.dataset.code = code;
      link.setAttribute("aria-label", name);
      if (code === current) link.setAttribute("aria-current", "true");
      link.addEventListener("click", () => {
        document.cookie = `playground_language=${code}; path=/; max-age=31536000; samesite=lax`;
      });
      links.append(link);
    }
    return links;
  };

  playground.islands.masthead = (element, trigger) => (value) => {
    const back = el("a", "back", icon("left", 18), el("span", "", word("arena.back")));
    back.href = `/${value.language}/`;
    const tabs = el("nav", "tabs");
    tabs.setAttribute("aria-label", word("arena.tabs"));
    const names = [word("arena.tab_sides"), word("arena.tab_battle"), word("arena.tab_duels"), word("arena.tab_board")];
    TABS.forEach((tab, at) => {
      const button = el("button", "tab", names[at]);
      button.id = `tab-${tab}`;
      button.addEventListener("click", () => trigger("tab", { tab }));
      tabs.append(button);
    });
    const links = languages(value.language);
    const theme = iconButton("moon", word("shell.theme"), playground.toggleTheme, "theme-toggle");
    theme.id = "theme-toggle";
    theme.append(icon("sun"));
    const right = el("div", "masthead-right", links, playground.keySwitch(), theme);
    const earlier = iconButton("clock", word("history.open"), () => playground.openHistory(), "history-toggle");
    earlier.id = "history-toggle";
    const left = el("div", "masthead-left", back, earlier);
    element.replaceChildren(el("header", "masthead", left, el("h1", "visually-hidden", word("arena.title")), tabs, right));
    playground.markTab = (chosen) => {
      TABS.forEach((tab, at) => {
        if (tab === chosen) tabs.children[at].setAttribute("aria-current", "page");
        else tabs.children[at].removeAttribute("aria-current");
      });
      for (const link of links.children) link.href = `/arena/${link.dataset.code}/${location.search}`;
    };
    playground.markTab(document.documentElement.dataset.tab);
  };

  // Where each tab and each phase of a batch begins.
  const BEGINNINGS = ["#composer-text", ".queue-question", ".queue-end h2", ".desk-title", ".board-title"];

  document.addEventListener("DOMContentLoaded", () => {
    const skip = el("a", "skip-link", word("arena.skip"));
    skip.href = "#composer-text";
    skip.addEventListener("click", (event) => {
      event.preventDefault();
      BEGINNINGS.map((name) => document.querySelector(name)).find((node) => node?.checkVisibility())?.focus();
    });
    document.body.prepend(skip);
  });
  addEventListener("popstate", () => location.reload());
})();
