"""How time and gap of the solvers grow with the networks."""
