"""Numerical methods: the barrier method, mixed-integer programs, bases of matrices."""
