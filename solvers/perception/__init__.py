"""Perception: radio observations as vectors in the space of sentences, so that a knowledge base answers them."""
