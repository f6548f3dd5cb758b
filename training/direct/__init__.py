"""Learners of single instances, without an environment: from the gradient of the physics, from costs, from labels."""
