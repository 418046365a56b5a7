"""OpenAI's HTTP API on this playground's models and through its gate."""
