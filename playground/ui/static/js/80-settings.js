// The settings of this conversation: the system prompt and how the next token is chosen, in plain words.
(() => {
  const { el, icon, iconButton, word } = playground;
  let value, keep, dialog, form, system, reset;
  const fields = new Map();

  const shown = (spec, amount) => (amount === null ? "" : spec.digits ? amount.toFixed(spec.digits) : String(amount));

  const field = (spec) => {
    const number = el("input", "number");
    number.type = "number";
    number.id = `setting-${spec.name}`;
    Object.assign(number, { min: spec.low, max: spec.high, step: spec.step });
    number.required = !spec.optional;
    if (spec.optional) number.placeholder = word("settings.random");
    const label = el("label", "", word(`settings.${spec.name}`));
    label.htmlFor = number.id;
    const hint = el("p", "hint", word(`settings.${spec.name}_hint`));
    hint.id = `${number.id}-hint`;
    number.setAttribute("aria-describedby", hint.id);
    const node = el("div", "field", el("div", "field-head", label, number));
    let range = null;
    if (spec.slider) {
      range = el("input");
      range.type = "range";
      Object.assign(range, { min: spec.low, max: spec.slider, step: spec.step });
      range.setAttribute("aria-label", word(`settings.${spec.name}`));
      range.addEventListener("input", () => (number.value = shown(spec, Number(range.value))));
      number.addEventListener("input", () => (range.value = number.value));
      node.append(range);
    }
    node.append(hint);
    fields.set(spec.name, { spec, number, range });
    return node;
  };

  const fill = (params) => {
    for (const [name, { spec, number, range }] of fields) {
      number.value = shown(spec, params[name]);
      if (range) range.value = number.value;
    }
  };

  const save = () => {
    const params = {};
    for (const [name, { number }] of fields) params[name] = number.value === "" ? null : Number(number.value);
    keep({ system_prompt: system.value, params });
    dialog.close();
    playground.focusComposer();
  };

  const build = () => {
    form.replaceChildren();
    fields.clear();
    const label = el("label", "", word("settings.system"));
    system = el("textarea", "system");
    system.id = label.htmlFor = "setting-system";
    system.rows = 3;
    system.placeholder = word("settings.system_placeholder");
    form.append(el("div", "field", label, system, el("p", "hint", word("settings.system_hint"))));
    for (const spec of value.fields) form.append(field(spec));
  };

  // The dialog, once for a page; what it returns opens it with `next` and gives what was chosen to `keep`.
  playground.buildSettings = (element) => {
    dialog = el("dialog", "dialog settings");
    dialog.id = "settings-dialog";
    dialog.setAttribute("aria-label", word("settings.title"));
    const subtitle = el("p", "dialog-subtitle");
    const close = iconButton("close", word("dialog.close"), () => dialog.close());
    const head = el("div", "dialog-head", el("div", "dialog-titles", el("h2", "", word("settings.title")), subtitle), close);
    form = el("form", "settings-form");
    form.id = "settings-form";
    form.noValidate = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      save();
    });
    reset = el("button", "btn", icon("retry", 16), word("settings.reset"));
    reset.id = "settings-reset";
    reset.addEventListener("click", () => {
      fill(value.defaults);
      system.value = "";
    });
    const apply = el("button", "btn btn-primary", word("settings.save"));
    apply.type = "submit";
    apply.id = "settings-save";
    apply.setAttribute("form", "settings-form");
    dialog.append(head, form, el("div", "dialog-foot", reset, apply));
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    element.append(dialog);
    return (next, then) => {
      if (document.querySelector("dialog[open]")) return;
      value = next;
      keep = then;
      build();
      system.value = value.system_prompt;
      fill(value.params);
      subtitle.textContent = word("settings.for", { model: value.model });
      dialog.showModal();
    };
  };

  playground.islands.settings = (element, trigger) => {
    let current;
    const button = iconButton("sliders", word("settings.open"), () => open(current, (chosen) => trigger("save", chosen)));
    button.id = "settings-button";
    const mark = el("span", "changed-dot");
    button.append(mark);
    element.append(button);
    const open = playground.buildSettings(element);
    return (next) => {
      current = next;
      mark.hidden = !next.changed;
    };
  };
})();
