"""What the environments share: the scalar base, and the seeds of the vector one."""
