"""Agents that learn: training runs, and the trained policies, which solve an Instance as a solver does.

>>> import training
>>> from secagent_env import sample_instance
>>> agent = training.load_agent("ppo")  # doctest: +SKIP
>>> agent.solve(sample_instance("paper", seed=1)).outcome.feasible  # doctest: +SKIP
True
"""

from training.play.shipped import is_path, load_agent, names

__all__ = ["is_path", "load_agent", "names"]
