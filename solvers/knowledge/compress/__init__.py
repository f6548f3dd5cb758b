"""Semantic compression of a knowledge base to a ratio of its bits."""
