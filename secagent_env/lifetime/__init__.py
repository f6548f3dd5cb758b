"""``secagent/Lifetime-v0``: tasks until the batteries are empty, as a scalar and as a vector environment."""
