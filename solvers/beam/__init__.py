"""Beamforming: semidefinite relaxation, rounding and polishing."""
