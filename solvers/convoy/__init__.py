"""Vehicles at a crossing: rules for levels of collaboration and organisations, references, language agents."""
