"""Concepts, knowledge graph and simplicial complex beside the vectors."""
