"""The core of Dazzle: decides about cases, rarity, trends and sharing; knows no Ray, no HTTP."""
