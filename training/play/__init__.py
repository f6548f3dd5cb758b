"""Trained agents as solvers: the forward pass, repair and refinement."""
