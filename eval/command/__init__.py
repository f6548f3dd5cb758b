"""The ``secagent`` command."""
