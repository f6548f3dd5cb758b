"""The second paper's Table 1: what a student answers with a teacher's knowledge."""
