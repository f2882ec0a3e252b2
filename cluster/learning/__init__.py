"""What trend models and image models have in common while they learn: workers, checkpoints."""
