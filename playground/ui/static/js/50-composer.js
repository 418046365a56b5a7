// Where a person writes. The words stay here until the server has taken them, so a refused message is never lost,
// and they live in the tab's session storage, so neither a reload nor a change of language loses them.
(() => {
  const { el, icon, iconButton, word, remember, recall } = playground;
  const DRAFT = "playground.draft";
  const PATIENCE = 20000; // milliseconds
  let box, button, banner, counter, trigger;
  let editing = null; // the message being edited: {id, before}
  let pending = null; // what was sent and not yet taken: {ticket, text, editing}
  let limit = Infinity;
  let busy = false;

  const fit = () => {
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, Math.max(120, innerHeight * 0.4))}px`;
    const left = limit - [...box.value].length;
    counter.hidden = left > limit * 0.1;
    counter.textContent = word("composer.left", { count: playground.number(left) });
    counter.classList.toggle("over", left < 0);
    button.disabled = !busy && (!box.value.trim() || left < 0 || pending !== null);
  };

  const setText = (text) => {
    box.value = text;
    remember(sessionStorage, DRAFT, editing ? null : text);
    fit();
  };

  const drawButton = () => {
    const stop = busy || pending;
    button.replaceChildren(stop ? el("span", "stop-square") : icon("send", 20));
    const label = word(stop ? "composer.stop" : "composer.send");
    button.title = label;
    button.setAttribute("aria-label", label);
    button.classList.toggle("stopping", Boolean(stop));
    fit();
  };

  const drawBanner = () => {
    banner.hidden = !editing;
    document.getElementById("composer")?.classList.toggle("is-editing", Boolean(editing));
  };

  const cancelEdit = () => {
    const before = editing?.before ?? "";
    editing = null;
    setText(before);
    drawBanner();
    box.focus();
  };

  const submit = (text) => {
    if (busy || pending || !text.trim()) return;
    pending = { ticket: crypto.getRandomValues(new Uint32Array(2)).join("-"), text, editing };
    box.readOnly = true;
    drawButton();
    trigger("send", { text, ticket: pending.ticket, edit: editing?.id ?? "" });
    const sent = pending;
    setTimeout(() => pending === sent && giveBack(), PATIENCE);
  };

  // The server has not answered: the words may be edited and sent again.
  const giveBack = () => {
    pending = null;
    box.readOnly = false;
    drawButton();
  };

  const settle = (value) => {
    if (!pending || value.ticket !== pending.ticket) return;
    if (value.outcome === "pending") return;
    if (value.outcome === "taken") {
      editing = null;
      setText("");
    } else if (!box.value) {
      editing = pending.editing;
      setText(pending.text);
    }
    pending = null;
    drawBanner();
  };

  const onKey = (event) => {
    // An input method may use Enter to finish a word; that Enter does not send.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      submit(box.value);
    } else if (event.key === "Escape" && editing && !busy) {
      event.stopPropagation();
      cancelEdit();
    }
  };

  playground.islands.composer = (element, send) => {
    trigger = send;
    const label = el("label", "visually-hidden", word("composer.label"));
    box = el("textarea");
    box.id = label.htmlFor = "composer-text";
    box.rows = 1;
    box.placeholder = word("composer.placeholder");
    box.setAttribute("enterkeyhint", "send");
    box.setAttribute("aria-describedby", "composer-hint");
    button = el("button", "send");
    button.id = "composer-send";
    counter = el("span", "composer-left");
    const cancel = iconButton("close", word("composer.cancel_edit"), cancelEdit, "small");
    banner = el("div", "composer-banner", icon("pen", 15), el("span", "", word("composer.editing")), cancel);
    const hint = el("p", "fine", word("composer.hint"));
    hint.id = "composer-hint";
    const checks = el("p", "fine checks");
    checks.hidden = true;
    element.append(label, banner, el("div", "composer-row", box, counter, button), checks, hint);
    button.addEventListener("click", () => (busy || pending ? trigger("stop", {}) : submit(box.value)));
    box.addEventListener("keydown", onKey);
    box.addEventListener("input", () => setText(box.value));
    addEventListener("resize", fit);
    box.value = recall(sessionStorage, DRAFT) || "";
    drawBanner();
    return (value) => {
      busy = value.busy;
      limit = value.limit;
      checks.hidden = value.checks === "on";
      if (!checks.hidden) checks.textContent = word(value.checks === "off" ? "composer.checks_off" : "composer.checks_shadow");
      settle(value);
      box.readOnly = pending !== null;
      drawButton();
      if (value.focus && matchMedia("(hover: hover)").matches && !document.querySelector("dialog[open]")) box.focus();
    };
  };

  playground.draft = () => pending?.text ?? box?.value ?? "";
  playground.focusComposer = () => box?.focus();
  playground.putDraft = (text) => setText(text);
  playground.sendText = (text) => submit(text);
  playground.editMessage = (id, text) => {
    editing = { id, before: editing ? editing.before : box.value };
    setText(text);
    drawBanner();
    box.focus();
    box.setSelectionRange(text.length, text.length);
  };
  playground.leaveEdit = () => editing && cancelEdit();
})();
