"""The papers' tables and figures, ours beside the printed numbers."""
