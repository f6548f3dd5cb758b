"""Vectors, graph and topology: what they cost, and how well passages are found by them."""
