// What Gradio's chat leaves to be mended, wherever one stands: names, announcements, staying at the end while it grows.
(() => {
  const { word } = playground;

  playground.mendChat = (parent, label, busy) => {
    // Gradio announces every token and nests a nameless button in the title of a thought.
    const log = parent.closest("[role=log]");
    if (log && (log.getAttribute("aria-live") !== "off" || log.getAttribute("aria-label") !== label)) {
      log.setAttribute("aria-live", "off");
      log.setAttribute("aria-label", label);
    }
    for (const arrow of parent.querySelectorAll(".thought-group .arrow button:not([tabindex])")) {
      arrow.tabIndex = -1;
      arrow.setAttribute("aria-hidden", "true");
    }
    if (busy) return;
    for (const node of parent.querySelectorAll("[data-testid][aria-label]")) node.removeAttribute("aria-label");
    for (const node of parent.querySelectorAll("button.copy_code_button:not([aria-label])")) {
      node.setAttribute("aria-label", word("message.copy_code"));
      node.title = word("message.copy_code");
    }
    for (const node of parent.querySelectorAll(".md pre:not([tabindex])")) node.tabIndex = 0;
  };

  // A log stays at its end while it grows, unless the reader has scrolled away from it; `state.atEnd` tells.
  playground.keepAtEnd = (log, state) => {
    if (!log.dataset.watched) {
      log.dataset.watched = "true";
      log.addEventListener("scroll", () => {
        state.atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
      }, { passive: true });
    }
    if (state.atEnd) log.scrollTop = log.scrollHeight;
  };
})();
