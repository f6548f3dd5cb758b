"""What language models make of texts: shorter ones, and the concepts and relations of a graph."""
