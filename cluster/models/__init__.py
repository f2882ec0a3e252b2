"""What the registry knows of models and data sets (C11)."""
