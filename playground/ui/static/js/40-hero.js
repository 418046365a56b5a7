// The first thing a person sees: a greeting and questions the chosen model answers well.
(() => {
  const { el } = playground;

  playground.islands.hero = (element) => (value) => {
    const list = el("ul", "suggestions");
    for (const text of value.suggestions) {
      const button = el("button", "suggestion", text);
      button.addEventListener("click", () => playground.sendText(text));
      list.append(el("li", "", button));
    }
    element.replaceChildren(el("h2", "hero-title", value.title), el("p", "hero-text", value.text), list);
  };
})();
