"""Studies beyond the papers' tables, run by ``secagent study NAME``."""
