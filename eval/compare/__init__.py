"""Comparisons of solvers on the same random instances: cells, rows, summaries, tables, pictures."""
