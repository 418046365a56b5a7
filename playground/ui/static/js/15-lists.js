// What lists share: under which day they put what was last changed then (the browser's own days), and texts as they are
// searched: without accents and capitals.
(() => {
  const { word } = playground;
  const DAY = 86400000;

  const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();

  playground.dayGroup = (seconds) => {
    const date = new Date(seconds * 1000);
    const age = Math.round((midnight(new Date()) - midnight(date)) / DAY);
    if (age <= 0) return word("conversations.today");
    if (age === 1) return word("conversations.yesterday");
    if (age <= 7) return word("conversations.week");
    if (age <= 30) return word("conversations.month");
    const text = new Intl.DateTimeFormat(document.documentElement.lang, { month: "long", year: "numeric" }).format(date);
    return text[0].toUpperCase() + text.slice(1);
  };

  playground.plain = (text) => text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").replace(/đ/gi, "d").toLowerCase();
})();
