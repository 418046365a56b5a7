"""The words for what can be found. Three questions are kept apart: wording, harm, attack; and what should not leak."""

from __future__ import annotations

WORDS = ("profanity", "slur", "abuse", "sexual")
TOXICITY = ("toxicity", "severe_toxicity", "obscene", "threat", "insult", "identity_attack", "sexual_explicit")
PERSONAL = ("email", "phone", "card", "id_number", "bank_account", "secret")
ATTACKS = ("prompt_injection", "jailbreak")
OTHER = ("harm", "remote_image")

CATEGORIES: tuple[str, ...] = WORDS + TOXICITY + PERSONAL + ATTACKS + OTHER
"""Every category a detector may report; a finding of another one is a fault of the detector."""
