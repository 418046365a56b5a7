"""The words for what can be found. Three questions are kept apart: wording, harm, attack; and what should not leak."""

from __future__ import annotations

WORDS = ("profanity", "slur", "abuse", "sexual")
TOXICITY = ("toxicity", "severe_toxicity", "obscene", "threat", "insult", "identity_attack", "sexual_explicit")
PERSONAL = ("email", "phone", "card", "id_number", "bank_account", "secret")
ATTACKS = ("prompt_injection", "jailbreak")
HARM = "harm"
HARMS = (
    "harm_violence",
    "harm_weapons",
    "harm_crime",
    "harm_sexual",
    "harm_minors",
    "harm_self",
    "harm_hate",
    "harm_privacy",
    "harm_misinformation",
    "harm_advice",
    "harm_rights",
    "harm_politics",
)
OTHER = ("remote_image",)

CATEGORIES: tuple[str, ...] = (*WORDS, *TOXICITY, *PERSONAL, *ATTACKS, HARM, *HARMS, *OTHER)
"""Every category a detector may report; a finding of another one is a fault of the detector."""

FAMILIES = dict.fromkeys(HARMS, HARM)
"""The category whose rules a policy follows for one that it does not name."""
