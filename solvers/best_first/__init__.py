"""Selections in the order of what computing costs, each served, until none can be cheaper."""
