// The vote: four buttons and the keys 1 to 4; what was voted, who it was, and the way to the next battle.
(() => {
  const { el, icon, word } = playground;
  const CHOICES = ["a", "b", "tie", "bad"];
  const state = { frame: null, value: null, trigger: null };

  playground.islands.ballot = (frame) => {
    state.frame = frame;
    return () => state.value && draw();
  };

  // A pair of a batch is graded by its queue, which goes on with the next one.
  const vote = (winner) => (state.value.tab === "duels" ? playground.gradePair(winner) : state.trigger("vote", { winner }));

  const choice = (name, at) => {
    const { ballot } = state.value;
    const labels = [word("arena.vote_a"), word("arena.vote_b"), word("arena.vote_tie"), word("arena.vote_bad")];
    const key = el("kbd", "", String(at + 1));
    key.setAttribute("aria-hidden", "true");
    const button = el("button", `vote vote-${name}`, key, el("span", "", labels[at]));
    button.disabled = !ballot.open;
    button.setAttribute("aria-pressed", String(ballot.chosen === name));
    button.setAttribute("aria-keyshortcuts", String(at + 1));
    button.addEventListener("click", () => vote(name));
    return button;
  };

  const outcome = () => {
    const { ballot, tab } = state.value;
    const line = el("div", "outcome", icon("check", 18), el("p", "", el("strong", "", ballot.result), ballot.note ? ` ${ballot.note}` : ""));
    if (tab === "battle") {
      const next = el("button", "btn btn-primary btn-small", word("arena.next_battle"), icon("right", 16));
      next.id = "next-battle";
      next.addEventListener("click", () => {
        state.trigger("fresh", {});
        playground.focusComposer();
      });
      line.append(next);
    }
    return line;
  };

  const draw = () => {
    const { ballot } = state.value;
    const had = state.frame.contains(document.activeElement) ? document.activeElement.className : null;
    if (!ballot.shown) return state.frame.replaceChildren();
    if (ballot.closed) return state.frame.replaceChildren(el("p", "no-votes", ballot.closed));
    const row = el("div", "votes", ...CHOICES.map(choice));
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", word("arena.vote"));
    state.frame.replaceChildren(row, ballot.result ? outcome() : ballot.hint ? el("p", "vote-hint", ballot.hint) : "");
    if (had) state.frame.querySelector(`[class="${had}"]`)?.focus();
  };

  playground.drawBallot = (value, trigger) => {
    const before = state.value;
    Object.assign(state, { value, trigger });
    if (state.frame) draw();
    const said = before?.comparison === value.comparison && before.ballot.result !== value.ballot.result;
    if (said && value.ballot.result) {
      const names = value.cards.map((card) => `${card.letter}: ${card.name}`).join(", ");
      playground.announce(`${value.ballot.result} ${names}`);
    }
  };

  playground.voteByKey = (key) => {
    if (state.value?.ballot.shown && state.value.ballot.open && state.value.tab !== "board") vote(CHOICES[key - 1]);
  };
})();
