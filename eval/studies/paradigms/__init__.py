"""Paradigms and levels of collaboration: what they are worth, and what they send."""
