"""Ontology, retrieval feature, ranking and explanation (S400, S1010)."""
