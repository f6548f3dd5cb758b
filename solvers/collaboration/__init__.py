"""Agents that share knowledge to answer: teachers, students and peers, at three levels of collaboration."""
