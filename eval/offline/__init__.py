"""Data sets of episodes for offline reinforcement learning."""
