"""The first paper's Figs 4 and 5 and Tables II to IV."""
