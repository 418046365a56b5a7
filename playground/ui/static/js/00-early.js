// Runs before anything is painted: the chosen theme, so that dark mode never flashes, and the page's namespace.
(() => {
  const root = document.documentElement;
  const stored = (key) => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null; // storage can be forbidden; the page works without it
    }
  };
  const system = matchMedia("(prefers-color-scheme: dark)");
  const asked = new URLSearchParams(location.search).get("__theme");
  let choice = asked === "dark" || asked === "light" ? asked : stored("playground.theme");

  const dark = () => (choice ? choice === "dark" : system.matches);
  const apply = () => {
    root.dataset.theme = dark() ? "dark" : "light";
    // Gradio decides by itself what its own class on <body> should be; ours is the last word.
    if (document.body && document.body.classList.contains("dark") !== dark()) {
      document.body.classList.toggle("dark", dark());
    }
  };
  apply();
  system.addEventListener("change", apply);
  new MutationObserver(() => {
    if (!document.body) return;
    apply();
    new MutationObserver(apply).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  }).observe(root, { childList: true });

  // Gradio also sets the language of the document, to one it knows; the page's own is the one it was asked for.
  const language = root.lang;
  new MutationObserver(() => root.lang !== language && (root.lang = language)).observe(root, {
    attributes: true,
    attributeFilter: ["lang"],
  });

  if (stored("playground.side") === "closed") root.classList.add("side-closed");

  window.playground = Object.assign(window.playground || {}, {
    islands: {},
    toggleTheme() {
      choice = dark() ? "light" : "dark";
      try {
        localStorage.setItem("playground.theme", choice);
      } catch {
        // The choice then lasts as long as the page.
      }
      apply();
    },
  });
})();
