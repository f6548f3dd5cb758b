"""Learning to cross with shared parameters."""
