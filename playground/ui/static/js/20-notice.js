// One decision or error, explained: what happened, the facts, what to do next. Used above the composer and in the thread.
(() => {
  const { el, icon, iconButton, word } = playground;
  const ICONS = { blocked: "shield", unavailable: "plug", warned: "shield", redacted: "shield", error: "alert", stopped: "pause" };

  playground.noticeCard = (notice, actions = [], onClose = null) => {
    const card = el("div", `notice notice-${notice.kind}`);
    card.setAttribute("role", "note");
    card.setAttribute("aria-label", word("notice.label"));
    const body = el("div", "notice-body", el("p", "notice-title", notice.title));
    if (notice.text) body.append(el("p", "notice-text", notice.text));
    if (notice.next) body.append(el("p", "notice-next", notice.next));
    if (notice.facts?.length) {
      const list = el("dl", "notice-facts");
      for (const [label, value] of notice.facts) list.append(el("div", "", el("dt", "", label), el("dd", "", value)));
      const more = el("details", "notice-more", el("summary", "", word("notice.details")), list);
      body.append(more);
    }
    if (actions.length) body.append(el("div", "notice-actions", ...actions));
    card.append(icon(ICONS[notice.kind], 20), body);
    if (onClose) card.append(iconButton("close", word("notice.dismiss"), onClose, "notice-close"));
    return card;
  };

  playground.islands.notice = (element) => {
    element.setAttribute("role", "alert");
    return (value) => {
      element.replaceChildren();
      if (value.notice) {
        element.append(playground.noticeCard(value.notice, [], () => {
          element.replaceChildren();
          playground.focusComposer();
        }));
      }
    };
  };
})();
