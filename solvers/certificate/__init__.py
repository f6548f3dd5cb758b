"""Certified lower bounds on the energy, and what every feasible selection has to meet."""
