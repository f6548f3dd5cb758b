"""Vehicles at a crossing: what levels of collaboration and organisations are worth, in collisions, bits and seconds."""
