"""Conversations, votes and decisions, kept in a database. Stores take and return `domain` types."""
