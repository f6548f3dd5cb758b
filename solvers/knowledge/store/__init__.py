"""Knowledge bases: passages and vectors, how they are searched, and how they travel."""
