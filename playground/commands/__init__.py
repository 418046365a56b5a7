"""The command line: one file per sub-command, each with `add_to(parsers)` and a `run` that returns the exit status."""
