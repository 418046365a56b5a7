// Keys that do something on their own, without Ctrl: whoever speaks to the computer or slips on the keyboard can switch
// them off, for all pages of this browser (WCAG 2.1.4).
(() => {
  const { iconButton, word, remember, recall } = playground;
  const KEPT = "playground.keys";
  const on = () => recall(localStorage, KEPT) !== "off";

  // Whether a key is meant for the page itself, and nobody writes or reads something else.
  playground.isShortcut = (event) => {
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "");
    const held = event.repeat || event.ctrlKey || event.metaKey || event.altKey;
    return on() && !typing && !held && !document.querySelector("dialog[open]");
  };

  playground.keySwitch = () => {
    const draw = () => button.setAttribute("aria-pressed", String(on()));
    const button = iconButton("keyboard", word("shell.keys"), () => {
      remember(localStorage, KEPT, on() ? "off" : null);
      draw();
    }, "key-switch");
    button.id = "key-switch";
    draw();
    return button;
  };
})();
