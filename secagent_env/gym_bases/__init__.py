"""The bases of all environments, scalar and vector: arguments, spaces, seeds, running episodes, rendering."""
