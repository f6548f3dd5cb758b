"""A made-up network of facts in many phrasings, and questions that need two of them."""
