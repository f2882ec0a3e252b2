"""Rarity screening, and the rare feature (S300-S360)."""
