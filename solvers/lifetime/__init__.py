"""Policies for ``secagent/Lifetime-v0`` that do not learn, and a bound on the tasks served."""
