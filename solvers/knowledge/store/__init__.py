"""Knowledge bases: passages, their vectors, the search in them, and messages that carry them."""
