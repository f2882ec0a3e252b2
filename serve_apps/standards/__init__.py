"""Front doors of the field's standards, and the signs of life."""
