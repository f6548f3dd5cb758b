"""One selection where jammers are needed: a certified bound and decisions, by a search over boxes."""
