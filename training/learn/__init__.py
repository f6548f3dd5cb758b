"""Training: learners, their settings, checkpoints, and the export of what they learnt."""
