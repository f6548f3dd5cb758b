"""Artificial noise of the base station: where it helps."""
