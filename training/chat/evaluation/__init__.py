"""Held-out questions; the generator never reads them."""
