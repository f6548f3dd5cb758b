"""Intents that change during a game: what telling them is worth, beside information and decisions."""
