"""Models that run on servers elsewhere, behind the same contract as those that run here."""
