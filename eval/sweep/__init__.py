"""Sweeps: thousands of independent cells, computed once, on one machine or a cluster, kept as Parquet files."""
