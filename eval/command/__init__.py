"""The ``secagent`` command: a module per command, with its arguments and what it runs."""
