"""Thoughts: what chain, tree and graph are worth to planning, and which rewards."""
