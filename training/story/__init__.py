"""Fable, the embedded storyteller: its grammar, its training and its exam."""
