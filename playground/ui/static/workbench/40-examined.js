// A tried text: the verdict, the text with what was found, and what every detector says about it.
(() => {
  const { el, word } = playground;

  const findings = (rows) => {
    const keys = ["category", "score", "action", "span", "words", "reason"];
    const head = ["finding_category", "scores", "finding_action", "finding_span", "finding_words", "finding_reason"];
    return playground.table(word("workbench.scores"), head.map((key) => word(`workbench.${key}`)),
      rows.map((row) => keys.map((key) => row[key])));
  };

  const detector = (card) => {
    const head = el("div", "detector-head", el("i", "dot"), el("h3", "", card.name), el("span", "quiet", card.version), el("span", "took", card.time));
    const node = el("section", `examined-detector detector-${card.state}`, head);
    if (card.text) node.append(el("p", "quiet", card.text));
    if (card.findings.length) node.append(findings(card.findings));
    return node;
  };

  playground.islands.examined = (element) => {
    element.setAttribute("aria-live", "polite");
    return (value) => {
      element.replaceChildren();
      if (value.error) {
        element.append(el("p", "note", value.error));
        return;
      }
      const verdict = el("div", `verdict verdict-${value.action}`, el("strong", "", value.verdict), el("span", "", value.detail));
      element.append(verdict, playground.pieces(word("workbench.examined_text"), value.pieces));
      element.append(...value.detectors.filter((card) => card.asked).map(detector));
      const others = value.detectors.filter((card) => !card.asked);
      if (others.length) element.append(el("details", "others", el("summary", "", word("workbench.not_asked")), ...others.map(detector)));
    };
  };
})();
