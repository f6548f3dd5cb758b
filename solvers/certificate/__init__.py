"""Certified lower bounds on the energy, and the integer programs behind them."""
