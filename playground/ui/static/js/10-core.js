// Small tools every part of the page uses: elements, icons, words, announcements. Text always goes through textContent.
(() => {
  const PATHS = {
    plus: "M12 5v14M5 12h14",
    search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM20 20l-4-4",
    pen: "M4 20h4L19 9l-4-4L4 16zM13.5 6.5l4 4",
    compose: "M12 5H6a2 2 0 0 0-2 2v11a2 2 0 0 0 2 2h11a2 2 0 0 0 2-2v-6M18.400 3.600a2 2 0 0 1 2.900 2.900L13 14.800l-4 1 1-4z",
    trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
    close: "M6 6l12 12M18 6L6 18",
    menu: "M4 7h16M4 12h16M4 17h10",
    panel: "M4 5h16v14H4zM9.500 5v14",
    sliders: "M4 8h9M19 8h1M4 16h1M11 16h9M16 5.500a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5zM8 13.500a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5z",
    keyboard: "M3 7h18v10H3zM6.500 10.500h.1M10 10.500h.1M13.500 10.500h.1M17 10.500h.1M8 14h8",
    moon: "M20 14.500A8 8 0 0 1 9.500 4a8 8 0 1 0 10.500 10.500z",
    sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.500v2M12 19.500v2M2.500 12h2M19.500 12h2M5.300 5.300l1.400 1.400M17.300 17.300l1.400 1.400M5.300 18.700l1.400-1.400M17.300 6.700l1.400-1.400",
    down: "M6 9l6 6 6-6",
    left: "M14.500 6l-6 6 6 6",
    right: "M9.500 6l6 6-6 6",
    copy: "M9 9h11v11H9zM5 15H4V4h11v1",
    check: "M5 12.500l4.500 4.500L19 7.500",
    retry: "M20 11a8 8 0 1 0-.6 4M20 4v7h-7",
    send: "M12 20V5M5.500 11.500L12 5l6.500 6.500",
    shield: "M12 3l7.500 3v5.500c0 4.500-3.100 8-7.500 9.500-4.400-1.500-7.500-5-7.500-9.500V6zM12 8.500v4M12 15.800v.1",
    plug: "M9 3v5M15 3v5M6.500 8h11v3.500a5.500 5.500 0 0 1-11 0zM12 17v4",
    alert: "M12 4L2.800 20h18.400zM12 10v4.500M12 17.300v.1",
    pause: "M9 6v12M15 6v12",
    flag: "M6 21V4M6 5h11l-2.500 4L17 13H6",
    lens: "M10.500 4a6.500 6.500 0 1 0 0 13 6.500 6.500 0 0 0 0-13zM20.500 20.500l-5.400-5.400M7.500 9h6M7.500 12h4",
    target: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
    differ: "M5 5h5v14H5zM14 5h5v14h-5zM14 12h5",
    clock: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8v4.500l3 1.800",
    download: "M12 4v11M7 10.500l5 5 5-5M5 20h14",
    columns: "M4 5h7v14H4zM13 5h7v14h-7z",
    external: "M14 4h6v6M20 4l-9 9M18 14v5a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V7a1 1 0 0 1 1-1h5",
  };

  const el = (tag, className, ...children) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (tag === "button") node.type = "button";
    node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return node;
  };

  const icon = (name, size = 18) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    const attributes = { viewBox: "0 0 24 24", width: size, height: size, "aria-hidden": "true", class: "icon" };
    for (const [key, value] of Object.entries(attributes)) svg.setAttribute(key, value);
    path.setAttribute("d", PATHS[name]);
    svg.append(path);
    return svg;
  };

  const iconButton = (name, label, onClick, className = "") => {
    const node = el("button", `icon-btn ${className}`, icon(name));
    node.title = label;
    node.setAttribute("aria-label", label);
    if (onClick) node.addEventListener("click", onClick);
    return node;
  };

  // The words of the interface, sent with the page. `{name}` is replaced by values.name.
  const word = (key, values = {}) => {
    const text = playground.words[key];
    if (text === undefined) throw new Error(`No words for ${key}`);
    return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
  };
  const number = (value, options) => new Intl.NumberFormat(document.documentElement.lang, options).format(value);

  // The live region tells what happened, never every token.
  const announce = (text) => {
    let region = document.getElementById("announcer");
    if (!region) {
      region = el("div", "visually-hidden");
      region.id = "announcer";
      region.setAttribute("role", "status");
      region.setAttribute("aria-live", "polite");
      document.body.append(region);
    }
    region.textContent = "";
    setTimeout(() => (region.textContent = text), 50);
  };

  const remember = (store, key, value) => {
    try {
      if (value === null || value === "") store.removeItem(key);
      else store.setItem(key, value);
    } catch {
      // Storage can be full or forbidden; the page works without it.
    }
  };
  const recall = (store, key) => {
    try {
      return store.getItem(key);
    } catch {
      return null;
    }
  };

  const copy = async (text, button) => {
    await navigator.clipboard.writeText(text);
    const before = button.firstChild;
    button.replaceChild(icon("check"), before);
    announce(word("message.copied"));
    setTimeout(() => button.firstChild && button.replaceChild(before, button.firstChild), 1400);
  };

  let toastTimer = 0;
  const toast = (text, action, onAction) => {
    document.getElementById("toast")?.remove();
    clearTimeout(toastTimer);
    const node = el("div", "toast", el("span", "", text));
    node.id = "toast";
    node.setAttribute("role", "status");
    if (action) {
      const button = el("button", "toast-action", action);
      button.addEventListener("click", () => {
        node.remove();
        onAction();
      });
      node.append(button);
    }
    document.body.append(node);
    const leave = () => (toastTimer = setTimeout(() => node.remove(), 8000));
    node.addEventListener("pointerenter", () => clearTimeout(toastTimer));
    node.addEventListener("pointerleave", leave);
    node.addEventListener("focusin", () => clearTimeout(toastTimer));
    leave();
  };

  // Gradio makes each island once; the part of that name draws it from props.value and calls trigger(event, data).
  // Nothing is drawn before there is data; parts without data are drawn once.
  const mount = (name, element, props, trigger, watch) => {
    const frame = element.querySelector(`.island-${name}`);
    const draw = playground.islands[name](frame, trigger);
    const redraw = () => {
      if (!draw.length || (props.value && Object.keys(props.value).length)) draw(props.value);
    };
    watch("value", redraw);
    redraw();
  };

  Object.assign(playground, { el, icon, iconButton, word, number, announce, remember, recall, copy, toast, mount });
})();
