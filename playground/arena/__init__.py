"""Comparisons, votes, and what can honestly be concluded from them."""
