"""The first paper's Table V with the votes of real language models, by their distributions over the options."""
