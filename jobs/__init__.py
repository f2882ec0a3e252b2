"""What operators and scientists run: one verb a file; ``python -m jobs`` lists them."""
