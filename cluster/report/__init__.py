"""Drawings and tables of a result, for people: one HTML page, and a summary for the terminal."""
