// One decision or error, explained: what happened, the facts, what to do next. Used above the composer and in the thread.
(() => {
  const { el, icon, iconButton, word } = playground;
  const ICONS = { blocked: "shield", unavailable: "plug", warned: "shield", redacted: "shield", error: "alert", stopped: "pause" };

  const EXCERPT = 60; // characters of the person's own words on either side of what was found

  // The words as the server judged them: what it leaves out at the beginning would shift every place.
  const judged = (text) => [...text.replace(/^(?:[^\S\n]*\n)+/, "")];

  const excerpt = (spans, text) => {
    const chars = judged(text);
    const [first, last] = [Math.min(...spans.map(([start]) => start)), Math.max(...spans.map(([, end]) => end))];
    if (last > chars.length) return null;
    const from = Math.max(0, first - EXCERPT);
    const to = Math.min(chars.length, Math.min(last, first + 4 * EXCERPT) + EXCERPT);
    const marked = new Set();
    for (const [start, end] of spans) for (let at = start; at < end; at += 1) marked.add(at);
    const box = el("p", "notice-words", from > 0 ? "…" : null);
    box.setAttribute("aria-label", word("report.found"));
    let run = "";
    for (let at = from; at < to; at += 1) {
      run += chars[at];
      if (at + 1 === to || marked.has(at) !== marked.has(at + 1)) {
        box.append(marked.has(at) ? el("mark", "", run) : run);
        run = "";
      }
    }
    if (to < chars.length) box.append("…");
    return box;
  };

  // `about` is {told, trigger, text}: what the page knows of reports, where to send one, and the person's own words.
  const reportButton = (notice, { told, trigger, text }) => {
    const done = told.reported.includes(notice.receipt);
    const button = el("button", "btn btn-small", icon(done ? "check" : "flag", 16), word(done ? "report.done" : "report.button"));
    button.disabled = done;
    button.title = word(told.keeps && text ? "report.words_go" : "report.words_stay");
    button.addEventListener("click", () => {
      button.disabled = true;
      trigger("report", { id: notice.receipt, text: told.keeps ? text : "" });
      playground.toast(word("report.thanks"));
    });
    return button;
  };

  playground.noticeCard = (notice, actions = [], onClose = null, about = null) => {
    const card = el("div", `notice notice-${notice.kind}`);
    card.setAttribute("role", "note");
    card.setAttribute("aria-label", word("notice.label"));
    const body = el("div", "notice-body", el("p", "notice-title", notice.title));
    if (notice.text) body.append(el("p", "notice-text", notice.text));
    if (about?.text && notice.spans?.length) body.append(excerpt(notice.spans, about.text) ?? "");
    if (notice.next) body.append(el("p", "notice-next", notice.next));
    if (notice.facts?.length) {
      const list = el("dl", "notice-facts");
      for (const [label, value] of notice.facts) list.append(el("div", "", el("dt", "", label), el("dd", "", value)));
      const more = el("details", "notice-more", el("summary", "", word("notice.details")), list);
      body.append(more);
    }
    if (about && notice.receipt) actions = [...actions, reportButton(notice, about)];
    if (actions.length) body.append(el("div", "notice-actions", ...actions));
    card.append(icon(ICONS[notice.kind], 20), body);
    if (onClose) card.append(iconButton("close", word("notice.dismiss"), onClose, "notice-close"));
    return card;
  };

  const editButton = () => {
    const button = el("button", "btn btn-small", icon("pen", 16), word("report.edit"));
    button.addEventListener("click", () => playground.focusComposer());
    return button;
  };

  playground.islands.notice = (element, trigger) => {
    element.setAttribute("role", "alert");
    let seen = { receipt: "", text: "" }; // the words as they were when they were refused; they may be edited since
    return (value) => {
      element.replaceChildren();
      const { notice } = value;
      if (!notice) return;
      const mine = notice.kind === "blocked" && !notice.retry;
      if (notice.receipt !== seen.receipt) seen = { receipt: notice.receipt, text: mine ? playground.draft() : "" };
      const close = () => {
        element.replaceChildren();
        playground.focusComposer();
      };
      const about = { told: value, trigger, text: seen.text };
      element.append(playground.noticeCard(notice, mine ? [editButton()] : [], close, about));
    };
  };
})();
