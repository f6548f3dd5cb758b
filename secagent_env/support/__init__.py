"""The floor that every package stands on: errors, optional dependencies, files, checks, units."""
