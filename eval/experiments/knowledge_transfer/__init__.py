"""The second paper's Table 1: the answers of a student with a teacher's knowledge."""
