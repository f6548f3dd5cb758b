"""The first paper's Table V: selected agents answer questions and vote."""
