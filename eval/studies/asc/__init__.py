"""What the parts of ASC are worth, what its printed errors cost, and how it converges."""
