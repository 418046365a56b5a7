// The head of the workbench: where one is, the way back, language, theme, the way out.
(() => {
  const { el, icon, iconButton, word } = playground;

  playground.islands.masthead = (element) => (value) => {
    const logo = el("img", "logo");
    logo.src = playground.logo;
    logo.alt = "";
    const back = el("a", "btn btn-small", icon("left", 16), word("workbench.back"));
    back.href = `/${value.language}/`;
    const links = el("div", "languages");
    links.setAttribute("role", "group");
    links.setAttribute("aria-label", word("shell.language"));
    for (const [code, name] of Object.entries(playground.languages)) {
      const link = el("a", "language", code.toUpperCase());
      Object.assign(link, { lang: code, title: name, href: `/workbench/${code}/` });
      link.setAttribute("aria-label", name);
      if (code === value.language) link.setAttribute("aria-current", "true");
      links.append(link);
    }
    const theme = iconButton("moon", word("shell.theme"), playground.toggleTheme, "theme-toggle");
    theme.append(icon("sun"));
    element.replaceChildren(el("header", "masthead", logo, el("h1", "", word("workbench.title")), back, links, theme));
    if (value.signed_in) element.firstChild.append(signOut());
  };

  const signOut = () => {
    const form = el("form", "", el("button", "btn btn-small", word("workbench.sign_out")));
    Object.assign(form, { method: "post", action: "/workbench/logout" });
    form.firstChild.type = "submit";
    return form;
  };

  // The policy in force: its state, what follows from it, and every detector with whether it runs.
  playground.islands.policy = (element) => (value) => {
    const head = el("div", "policy-head", el("h2", "", word("workbench.policy_label")), el("strong", "policy-name", value.name));
    const facts = el("dl", "facts");
    for (const [label, text] of value.facts) facts.append(el("div", "", el("dt", "", label), el("dd", "", text)));
    const list = el("ul", "detectors");
    list.setAttribute("aria-label", word("workbench.detectors"));
    for (const row of value.detectors) {
      const name = el("span", "detector-name", `${row.name} ${row.version}`.trim());
      list.append(el("li", `detector detector-${row.state}`, el("i", "dot"), name, el("span", "detector-text", row.text)));
    }
    const broken = value.detectors.some((row) => row.state === "broken");
    const summary = el("summary", "", `${word("workbench.detectors")} (${value.detectors.filter((row) => row.state === "ok").length})`);
    const more = el("details", "", summary, list);
    more.open = broken;
    const parts = [head, facts, more];
    if (value.warning) {
      const warning = el("p", "policy-warning", icon("alert", 16), value.warning);
      parts.splice(1, 0, warning);
    }
    element.replaceChildren(el("section", `panel policy policy-${value.state}`, ...parts));
  };
})();
