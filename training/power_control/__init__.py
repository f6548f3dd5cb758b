"""Learning power control with shared parameters."""
