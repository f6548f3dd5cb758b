"""Robust: designs that hold with a given probability over what is not known of the eavesdroppers."""
