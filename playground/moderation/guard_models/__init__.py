"""Guard models: language models that judge texts, each a row of data."""
