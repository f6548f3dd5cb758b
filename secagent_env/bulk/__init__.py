"""Compiled sampling, observation and guided actions, of numbers by counter: what ``rng="bulk"`` is made of."""
