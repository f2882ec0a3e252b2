"""From records to cases, with a finding for everything that is not as it should be (B1, B2)."""
