"""Finished trainings on test instances: what their policies reach, the table and the curves, and shipping."""
