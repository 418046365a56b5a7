"""How the embedded toxicity classifier was made."""
