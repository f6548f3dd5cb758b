"""Cooperative reasoning: the selected agents answer, the supervisor votes (section III-B)."""
