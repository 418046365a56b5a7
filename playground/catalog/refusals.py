"""What the Hub's refusals mean, in words with a next step. Nothing that a server wrote is repeated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from playground.errors import AccessNeeded, HubBusy, HubError, UnknownRepository

_LOGIN = "log this machine in with `hf auth login` (or set HF_TOKEN) and try again."
_MISSING = {
    "RevisionNotFound": "has no such revision. Check the revision, or leave it out.",
    "EntryNotFound": "no longer has one of its files. Look at its page, and choose another revision.",
}
_RESET = re.compile(r"r\s*=\s*0\s*;\s*t\s*=\s*(\d{1,6})")


def refusal(status: int, headers: Mapping[str, str], endpoint: str, what: str) -> HubError:
    """The error for an answer of the Hub that is not what was asked for. `what` names the repository."""
    code = headers.get("X-Error-Code", "")
    named = what or "What was asked for"
    if code == "GatedRepo":
        return AccessNeeded(
            f"{named} asks for an agreement first. Open {endpoint}/{what}, log in and accept its terms; then {_LOGIN}"
        )
    if status == 401 and "Invalid credentials" in headers.get("X-Error-Message", ""):
        return AccessNeeded(f"The Hub does not accept this machine's access token. Make a new one, then {_LOGIN}")
    if status == 403:
        return AccessNeeded(f"This machine's access token may not read {named}. Open {endpoint}/{what}; then {_LOGIN}")
    if code in _MISSING:
        return UnknownRepository(f"{named} {_MISSING[code]}")
    if status in {401, 404, 410}:
        return UnknownRepository(
            f"The Hub has no {what or 'such page'}, or it is private. Check the name; if it is private, {_LOGIN}"
        )
    return _trouble(status, headers)


def _trouble(status: int, headers: Mapping[str, str]) -> HubError:
    asked = retry_after(headers)
    when = f"in {asked:.0f} seconds" if asked else "in a few minutes"
    if status == 429:
        return HubBusy(f"The Hub limits how much is asked of it, and asks for a pause. Try again {when}.", asked)
    if status >= 500 or status == 408:
        return HubBusy(f"The Hub has trouble itself (it answered {status}). Try again {when}.", asked)
    return HubError(f"The Hub refused this request (it answered {status}). Check the model's name and revision.")


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds to wait that a server asks for, in `Retry-After` (seconds or a date) or `RateLimit`; 0 if it does not."""
    said = headers.get("Retry-After", "").strip()
    if said.isdigit():
        return min(float(said), 1e6)
    reset = _RESET.search(headers.get("RateLimit", ""))
    if reset:
        return float(reset.group(1))
    try:
        moment = parsedate_to_datetime(said)
    except ValueError:
        return 0.0
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())
