"""The model, (1) to (19): scenario, instance, decision, outcome, and the physics between them; no random numbers."""
