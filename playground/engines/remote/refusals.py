"""What a server's refusal means: a status and an error object become a fault with words for a person.

The server's own text is read for codes and numbers and never shown: it may repeat what people wrote, and no text goes
to a person past the gate.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from playground.catalog.servers import ModelServer
from playground.engines.remote.faults import Fault, Remedy
from playground.errors import ContextTooLong, FilteredThere, InvalidRequest, RateLimited, ServerFailed, ServerRefused

_CONTEXT_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error", "string_above_max_length"})
_FILTER_CODES = frozenset({"content_filter", "content_policy_violation", "responsibleaipolicyviolation"})
_MODEL_CODES = frozenset({"model_not_found", "model_not_supported", "notfounderror"})
_CONTEXT_WORDS = re.compile(
    r"context length|context size|context window|maximum context|max_total_tokens|max_new_tokens` must be <=|"
    r"must have less than \d+ tokens|is longer than the model",
    re.IGNORECASE,
)
# The window, and the prompt's length, as vLLM, SGLang, TGI, llama.cpp, llama-cpp-python and OpenAI put them.
_WINDOW = (
    re.compile(r"context (?:length|size|window)(?: is| of)? \(?(\d+) ?tokens?", re.IGNORECASE),
    re.compile(r"context (?:length|size|window) \((\d+)", re.IGNORECASE),
    re.compile(r"must be <= (\d+)", re.IGNORECASE),
    re.compile(r"must have less than (\d+) tokens", re.IGNORECASE),
)
_PROMPT = (
    re.compile(r"(\d+) (?:tokens )?(?:in|from) the (?:messages|input messages|prompt)", re.IGNORECASE),
    re.compile(r"(?:request has|prompt contains(?: at least)?|messages resulted in|input \() ?(\d+)", re.IGNORECASE),
    re.compile(r"Given: (\d+)", re.IGNORECASE),
    re.compile(r"request \((\d+) tokens\)", re.IGNORECASE),
)
_LONGEST_READ = 20_000  # characters of an error that are searched


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status other than 200 (or the number in an error object), the JSON with it, and the Retry-After header."""

    status: int
    content: object
    retry_after: str = ""


@dataclass(frozen=True, slots=True)
class Addressee:
    """Who was asked: the server, what the model is called there, and what people call it."""

    server: ModelServer
    model: str
    name: str


@dataclass(frozen=True, slots=True)
class Overflow:
    """A context error's numbers, in tokens; 0 where the server tells none."""

    window: int
    prompt: int


def find_overflow(content: object) -> Overflow | None:
    """The numbers of a context error, or None for any other."""
    text = " ".join(_texts(content))[:_LONGEST_READ]
    if not _CONTEXT_CODES & set(_codes(content)) and not _CONTEXT_WORDS.search(text):
        return None
    details = _details(content)
    window = _whole(details.get("n_ctx")) or _first(_WINDOW, text)
    return Overflow(window, _whole(details.get("n_prompt_tokens")) or _first(_PROMPT, text))


def fault_of(refusal: Refusal, asked: Addressee) -> Fault:
    """What a refusal means: the first of `_RULES` that knows it."""
    return next(fault for rule in _RULES if (fault := rule(refusal, asked)) is not None)


def _too_long(refusal: Refusal, asked: Addressee) -> Fault | None:
    overflow = find_overflow(refusal.content)
    if overflow is None:
        return None
    if overflow.window and overflow.prompt:
        what = f"This conversation is {overflow.prompt:,} tokens long; {asked.name} has room for {overflow.window:,}"
    elif overflow.window:
        what = f"This conversation is longer than the {overflow.window:,} tokens that {asked.name} has room for"
    else:
        what = f"This conversation is longer than {asked.name} has room for"
    sentence = f"{what}, the answer included. Shorten it, start a new one, or lower max_tokens."
    return Fault(ContextTooLong(sentence), Remedy.NONE, down=False)


def _filtered(refusal: Refusal, asked: Addressee) -> Fault | None:
    if not _FILTER_CODES & set(_codes(refusal.content)):
        return None
    return Fault(filtered(asked.server.label, asked.name), Remedy.NONE, down=False)


def _too_often(refusal: Refusal, asked: Addressee) -> Fault | None:
    if refusal.status != 429:
        return None
    wait = _seconds(refusal.retry_after)
    return Fault(too_often(asked.server.label, wait), Remedy.LATER, wait=wait)


def _wrong_key(refusal: Refusal, asked: Addressee) -> Fault | None:
    if refusal.status not in (401, 403):
        return None
    if asked.server.key_env:
        step = f"Put a valid key into the environment variable {asked.server.key_env} and start the playground again."
    else:
        step = f"Name the environment variable that holds a key as key_env in the catalogue entry of {asked.name}."
    sentence = f"{asked.server.label} does not accept the playground's key for {asked.name}. {step}"
    return Fault(ServerRefused(sentence), Remedy.ANOTHER)


def _unknown_model(refusal: Refusal, asked: Addressee) -> Fault | None:
    named = refusal.status in (400, 422) and _names_model(refusal.content, asked.model)
    if refusal.status != 404 and not named and not _MODEL_CODES & set(_codes(refusal.content)):
        return None
    sentence = (
        f"{asked.server.label} has no model named {asked.model}. Correct url or model of this server in the catalogue "
        f"entry of {asked.name}."
    )
    return Fault(ServerRefused(sentence), Remedy.ANOTHER)


def _redirected(refusal: Refusal, asked: Addressee) -> Fault | None:
    if not 300 <= refusal.status < 400:
        return None
    sentence = (
        f"{asked.server.label} sends requests for {asked.name} elsewhere, which is not followed. Correct its url in "
        "the catalogue."
    )
    return Fault(ServerRefused(sentence), Remedy.ANOTHER)


def _broken(refusal: Refusal, asked: Addressee) -> Fault | None:
    if refusal.status < 500 and refusal.status not in (408, 409, 425):
        return None
    wait = _seconds(refusal.retry_after) if refusal.status == 503 else None
    sentence = (
        f"{asked.server.label} has an error of its own (status {refusal.status}) and could not answer for {asked.name}."
        " Try again."
    )
    return Fault(ServerFailed(sentence), Remedy.LATER, wait=wait)


def _not_accepted(refusal: Refusal, asked: Addressee) -> Fault:
    sentence = (
        f"{asked.server.label} does not accept this request (status {refusal.status}). Reset the settings of this "
        "conversation or start a new one; if that does not help, choose another model."
    )
    return Fault(InvalidRequest(sentence), Remedy.NONE, down=False)


_RULES: tuple[Callable[[Refusal, Addressee], Fault | None], ...] = (
    _too_long,
    _filtered,
    _too_often,
    _wrong_key,
    _unknown_model,
    _redirected,
    _broken,
    _not_accepted,
)


def filtered(where: str, name: str) -> FilteredThere:
    """The server's own content filter stopped the answer."""
    return FilteredThere(
        f"{where} stopped the answer of {name} with a content filter of its own. Say it in another way, or choose "
        "another model."
    )


def too_often(where: str, wait: float | None) -> RateLimited:
    """The server wants to be left alone, for `wait` seconds if it said so."""
    when = "in a moment" if wait is None else f"in {max(1, round(wait)):,} seconds"
    return RateLimited(f"{where} wants to be asked less often. Try again {when}, or choose another model.")


def _details(complaint: object) -> Mapping[str, Any]:
    inner = complaint.get("error") if isinstance(complaint, Mapping) else None
    if isinstance(inner, Mapping):
        return inner
    return complaint if isinstance(complaint, Mapping) else {}


def _codes(complaint: object) -> Iterable[str]:
    details = _details(complaint)
    inner = details.get("innererror")
    for table in (details, inner if isinstance(inner, Mapping) else {}):
        for key in ("code", "type", "error_type"):
            if isinstance(table.get(key), str):
                yield table[key].lower()


def _texts(complaint: object) -> Iterable[str]:
    details = _details(complaint)
    for key in ("message", "error", "detail"):
        if isinstance(details.get(key), str):
            yield details[key]


def _names_model(complaint: object, model: str) -> bool:
    text = " ".join(_texts(complaint))[:_LONGEST_READ]
    known = re.search(r"does not exist|not found|pinned to|not supported|unknown model", text, re.IGNORECASE)
    return bool(known) and model in text


def _first(patterns: Iterable[re.Pattern[str]], text: str) -> int:
    found = (pattern.search(text) for pattern in patterns)
    return next((_whole(int(match[1][:12])) for match in found if match), 0)


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**9 else 0


def _seconds(retry_after: str) -> float | None:
    """A Retry-After header: seconds, or an HTTP date (RFC 9110, section 10.2.3)."""
    text = retry_after.strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
