// Reports of mistakes, one card each: label them with buttons, or with the keys 1, 2, 3 on a card and the arrows.
(() => {
  const { el, icon, word, announce } = playground;
  const LABELS = ["right", "wrong", "unsure"];
  const KEYS = { 1: "right", 2: "wrong", 3: "unsure" };
  let trigger;
  let at = 0; // which card has the focus, so that the next one gets it when this one leaves the list

  playground.pieces = (label, pieces) => {
    const box = el("p", "pieces");
    box.setAttribute("aria-label", label);
    for (const { text, marks } of pieces) {
      if (!marks.length) {
        box.append(text);
        continue;
      }
      const mark = el("mark", "", text);
      mark.title = marks.join(", ");
      box.append(mark);
    }
    return box;
  };

  const say = (card, label) => {
    announce(label ? word("workbench.labelled", { label: word(`workbench.label_${label}`) }) : word("workbench.label_undo"));
    trigger("mark", { id: card.id, label });
  };

  const buttons = (card) => {
    const group = el("div", "label-buttons", el("span", "label-text", word("workbench.label_group")));
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", word("workbench.label_group"));
    LABELS.forEach((label, index) => {
      const chosen = card.label === label;
      const button = el("button", `btn btn-small label-${label}`, word(`workbench.label_${label}`), el("kbd", "", String(index + 1)));
      button.setAttribute("aria-pressed", String(chosen));
      button.title = chosen ? word("workbench.label_undo") : "";
      button.addEventListener("click", () => say(card, chosen ? "" : label));
      group.append(button);
    });
    return group;
  };

  const facts = (pairs) => {
    const list = el("dl", "facts");
    for (const [label, text] of pairs) list.append(el("div", "", el("dt", "", label), el("dd", "", text)));
    return list;
  };

  const draw = (card) => {
    const time = el("time", "", playground.moment(card.created_at));
    time.dateTime = card.created_at;
    const title = el("h3", "", card.title);
    title.id = `report-${card.id}`;
    const node = el("article", "panel report", el("div", "report-head", title, time));
    node.dataset.id = card.id;
    node.tabIndex = 0;
    node.setAttribute("aria-labelledby", title.id);
    if (card.pieces.length) node.append(playground.pieces(word("workbench.examined_text"), card.pieces));
    else node.append(el("p", "quiet", card.no_text));
    node.append(facts(card.facts));
    if (card.scores.length) node.append(el("details", "", el("summary", "", word("workbench.scores")), facts(card.scores)));
    node.append(buttons(card));
    if (card.outcome) node.append(el("p", "quiet", card.outcome));
    return node;
  };

  playground.islands.queue = (element, send) => {
    trigger = send;
    let cards = [];
    element.addEventListener("focusin", (event) => {
      const nodes = [...element.querySelectorAll(".report")];
      const index = nodes.indexOf(event.target.closest(".report"));
      if (index >= 0) at = index;
    });
    element.addEventListener("keydown", (event) => {
      const node = event.target.closest(".report");
      if (!node || event.ctrlKey || event.metaKey || event.altKey) return;
      const nodes = [...element.querySelectorAll(".report")];
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) {
        event.preventDefault();
        nodes[nodes.indexOf(node) + step]?.focus();
      } else if (KEYS[event.key]) {
        event.preventDefault();
        const card = cards.find((one) => one.id === node.dataset.id);
        const label = KEYS[event.key];
        say(card, card.label === label ? "" : label);
      }
    });
    return (value) => {
      const focused = element.contains(document.activeElement);
      cards = value.cards;
      const refresh = el("button", "btn btn-small", icon("retry", 16), word("workbench.refresh"));
      refresh.addEventListener("click", () => trigger("refresh", {}));
      const file = el("a", "btn btn-small", icon("down", 16), word("workbench.export"));
      file.href = "/workbench/cases.jsonl";
      file.download = "cases.jsonl";
      file.id = "export";
      const waiting = el("strong", "waiting", word("workbench.reports_waiting", { count: value.waiting }));
      const bar = el("div", "queue-bar", waiting, refresh, file);
      const none = word(value.shown === "open" ? "workbench.reports_none" : "workbench.reports_none_labelled");
      const list = cards.length ? cards.map(draw) : [el("p", "quiet empty", none)];
      const hint = cards.length ? el("p", "quiet keys", word("workbench.reports_keys")) : "";
      element.replaceChildren(bar, ...(hint ? [hint] : []), ...list);
      if (focused) (element.querySelectorAll(".report")[Math.min(at, cards.length - 1)] ?? refresh).focus();
    };
  };
})();
