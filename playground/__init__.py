"""A web playground for open language models, with a safety layer that screens text before it is displayed."""
