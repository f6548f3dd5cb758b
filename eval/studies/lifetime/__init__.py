"""How many tasks policies serve in ``secagent/Lifetime-v0``."""
