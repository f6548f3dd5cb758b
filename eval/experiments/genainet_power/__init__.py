"""The second paper's Table 2 and Figs 7 and 8: agents that talk to control power."""
