"""Perception: what a radio encoder in the space of sentences is worth, beside classifiers, and what it saves in bits."""
