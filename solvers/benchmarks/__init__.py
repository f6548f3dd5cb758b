"""The paper's benchmark schemes."""
