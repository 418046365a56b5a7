"""Models side by side, blind battles and the leaderboard: a page of its own beside the chat."""
