// The frame: side bar and drawer, theme, language, keyboard.
(() => {
  const { el, icon, iconButton, word, remember } = playground;
  const root = document.documentElement;
  const phone = matchMedia("(max-width: 768px)");

  const toggleSide = () => {
    if (phone.matches) {
      const open = root.classList.toggle("drawer");
      if (open) document.getElementById("new-chat")?.focus();
      return;
    }
    remember(localStorage, "playground.side", root.classList.toggle("side-closed") ? "closed" : null);
  };

  playground.islands.brand = (element) => () => {
    const logo = el("img", "logo");
    logo.src = playground.logo;
    logo.alt = "";
    const close = iconButton("close", word("shell.close_list"), toggleSide, "drawer-close");
    element.replaceChildren(logo, el("p", "", word("shell.name")), close);
  };

  playground.islands.burger = (element) => () => {
    const button = iconButton("panel", word("shell.toggle_list"), toggleSide, "burger");
    button.id = "burger";
    button.append(icon("menu", 20));
    // The page's one heading of the first level stands here, because the side bar can be closed.
    element.replaceChildren(el("h1", "visually-hidden", word("shell.name")), button);
  };

  playground.islands.sidefoot = (element) => (value) => {
    const links = el("div", "languages");
    links.setAttribute("role", "group");
    links.setAttribute("aria-label", word("shell.language"));
    for (const [code, name] of Object.entries(playground.languages)) {
      const link = el("a", "language", code.toUpperCase());
      link.lang = code;
      link.title = name;
      link.setAttribute("aria-label", name);
      link.id = `language-${code}`;
      if (code === root.lang) link.setAttribute("aria-current", "true");
      link.dataset.code = code;
      link.addEventListener("click", () => {
        document.cookie = `playground_language=${code}; path=/; max-age=31536000; ${playground.cookie}`;
      });
      links.append(link);
    }
    playground.languageLinks = () => {
      for (const link of links.children) link.href = `/${link.dataset.code}/${location.search}`;
    };
    playground.languageLinks();
    addEventListener("popstate", playground.languageLinks);
    const theme = iconButton("moon", word("shell.theme"), playground.toggleTheme, "theme-toggle");
    theme.id = "theme-toggle";
    theme.append(icon("sun"));
    const tools = el("div", "foot-tools", playground.keySwitch(), theme);
    if (value.workbench) tools.prepend(workbenchLink());
    const row = el("div", "foot-row", links, exportLinks(), tools);
    element.replaceChildren(value.temporary ? temporaryNote() : "", row);
  };

  const exportLinks = () => {
    const links = el("div", "exports");
    links.setAttribute("role", "group");
    links.setAttribute("aria-label", word("shell.export"));
    for (const [ending, title] of [["json", word("shell.export_json")], ["md", word("shell.export_md")]]) {
      const link = el("a", "language", ending.toUpperCase());
      link.href = `/export/conversations.${ending}`;
      link.download = "";
      link.id = `export-${ending}`;
      link.title = title;
      link.setAttribute("aria-label", title);
      links.append(link);
    }
    return links;
  };

  const temporaryNote = () => {
    const note = el("p", "temporary-note", el("strong", "", word("shell.temporary")), " ", word("shell.temporary_text"));
    note.id = "temporary-note";
    return note;
  };

  const workbenchLink = () => {
    const link = el("a", "icon-btn workbench-link", icon("shield"));
    link.href = `/workbench/${root.lang}/`;
    link.title = word("shell.workbench");
    link.setAttribute("aria-label", word("shell.workbench"));
    return link;
  };

  document.addEventListener("click", (event) => {
    if (root.classList.contains("drawer") && event.target === document.documentElement.querySelector("#scrim")) toggleSide();
  });

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      playground.openPicker();
    } else if (event.key === "/" && playground.isShortcut(event)) {
      event.preventDefault();
      playground.focusComposer();
    } else if (event.key === "Escape" && !document.querySelector("dialog[open]")) {
      if (root.classList.contains("drawer")) toggleSide();
      else if (playground.busy) document.getElementById("composer-send")?.click();
    }
  });

  document.addEventListener("DOMContentLoaded", () => {
    const skip = el("a", "skip-link", word("shell.skip"));
    skip.href = "#composer-text";
    skip.addEventListener("click", (event) => {
      event.preventDefault();
      playground.focusComposer();
    });
    const scrim = el("div");
    scrim.id = "scrim";
    document.body.prepend(skip);
    document.body.append(scrim);
  });
})();
