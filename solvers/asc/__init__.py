"""ASC, the paper's algorithm: ADMM for the selection, SDR for the beam, SCA for the powers, from a random start."""
