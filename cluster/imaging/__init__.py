"""Image models: training, calibration, rejection, and what is delivered to devices (C2, C3)."""
