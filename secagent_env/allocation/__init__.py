"""``secagent/Allocation-v0``: one task an episode, as a scalar and as a vector environment."""
