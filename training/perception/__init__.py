"""Training of the radio encoder: contrastively against sentences, and its ablations with class labels."""
