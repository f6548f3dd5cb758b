"""What learners learnt: runs, the test set, the table, and shipping."""
