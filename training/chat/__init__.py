"""Pip: the first embedded chat model, its texts, its training, its export and its evaluation."""
