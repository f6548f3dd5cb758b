"""Perception: what a radio encoder in the space of sentences is worth, and what it saves in bits."""
