"""A remote moderation endpoint in the form of OpenAI's `/v1/moderations`; off unless the operator names one.

Texts go to that address and nowhere else: no redirects are followed and no proxy settings are read. Without https they
go to this machine or to an address of a private network only. Whatever goes wrong (no answer, not in time, not in that
form) makes the detector unavailable, and the policy decides about that.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from playground.catalog.addresses import ConnectionWatch, is_address, is_loopback, is_private
from playground.domain import Finding
from playground.errors import ConfigError, DetectorUnavailable
from playground.moderation.categories import CATEGORIES
from playground.moderation.contract import Scope

if TYPE_CHECKING:
    import httpx

# OpenAI's categories in our words; a name that is neither here nor ours counts as harm.
_CATEGORIES = {
    "harassment": "insult",
    "harassment/threatening": "threat",
    "hate": "identity_attack",
    "hate/threatening": "identity_attack",
    "sexual": "sexual_explicit",
}
_OTHERWISE = "harm"
_NOT_NEAR = (
    "The moderation endpoint is not on a private network, and http can be read on the way. Use https in moderation_url."
)
_LARGEST_ANSWER = 1_000_000  # bytes
_MOST_TEXTS = 32  # in one request


class RemoteEndpointDetector:
    """Asks the endpoint about every text; a finding per category, its span the whole text.

    `url` is the address of the endpoint itself, `seconds` the time for connecting, asking and reading together. The
    explanation is "remote:" and the endpoint's own name for the category. Safe to use from several threads.

    Raises ConfigError for an address that is not http or https, holds a name or password, or would send texts over http
    to a public address.
    """

    name = "remote"
    reach = 0
    scope: Scope = "unit"

    def __init__(self, url: str, *, key: str = "", model: str = "", seconds: float = 10.0) -> None:
        host = _checked_host(url)
        self._url = url
        watch = ConnectionWatch(host, _is_near, lambda _: DetectorUnavailable(_NOT_NEAR))
        self._extensions: dict[str, Any] = {} if url.startswith("https:") else {"trace": watch}
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._model = model
        self._seconds = seconds
        self._client: httpx.Client | None = None
        self.version = model or host

    def scan(self, text: str) -> list[Finding]:
        """A finding for every category the endpoint scores. Raises DetectorUnavailable when it does not answer well."""
        return self.scan_batch([text])[0]

    def scan_batch(self, texts: Sequence[str]) -> list[list[Finding]]:
        """As `scan`, for many texts in few requests; blank ones are not sent."""
        found: list[list[Finding]] = [[] for _ in texts]
        asked = [at for at, text in enumerate(texts) if text.strip()]
        for start in range(0, len(asked), _MOST_TEXTS):
            places = asked[start : start + _MOST_TEXTS]
            results = self._ask([texts[at] for at in places])
            for at, result in zip(places, results, strict=True):
                found[at] = self._findings(result, len(texts[at]))
        return found

    def unsettled(self, text: str) -> int:  # noqa: ARG002 - the contract's signature
        """Nothing: the endpoint is asked about whole units."""
        return 0

    def close(self) -> None:
        """Give the connections back."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _ask(self, texts: Sequence[str]) -> list[Mapping[str, object]]:
        body: dict[str, Any] = {"input": list(texts)} | ({"model": self._model} if self._model else {})
        answer = self._post(body)
        try:
            results = json.loads(answer)["results"]
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise DetectorUnavailable("The moderation endpoint's answer is not of the expected form.") from error
        if not isinstance(results, list) or len(results) != len(texts):
            raise DetectorUnavailable("The moderation endpoint did not answer for every text.")
        return results

    def _post(self, body: Mapping[str, object]) -> bytes:
        import httpx  # noqa: PLC0415  only where an endpoint is set

        client = self._connected()
        deadline = time.monotonic() + self._seconds
        answer = bytearray()
        try:
            with client.stream(
                "POST", self._url, json=body, headers=self._headers, extensions=self._extensions
            ) as response:
                if response.status_code != 200:
                    raise DetectorUnavailable(f"The moderation endpoint answered with status {response.status_code}.")
                for part in response.iter_bytes():
                    answer += part
                    if len(answer) > _LARGEST_ANSWER or time.monotonic() > deadline:
                        raise DetectorUnavailable("The moderation endpoint's answer is too long or too slow.")
        except httpx.HTTPError as error:
            raise DetectorUnavailable(f"The moderation endpoint cannot be reached ({type(error).__name__}).") from error
        return bytes(answer)

    def _connected(self) -> httpx.Client:
        import httpx  # noqa: PLC0415

        if self._client is None:
            self._client = httpx.Client(timeout=self._seconds, follow_redirects=False, trust_env=False)
        return self._client

    def _findings(self, result: object, length: int) -> list[Finding]:
        scores = result.get("category_scores") if isinstance(result, Mapping) else None
        if not isinstance(scores, Mapping) or not scores:
            raise DetectorUnavailable("The moderation endpoint gave no scores.")
        best: dict[str, Finding] = {}
        for name, score in scores.items():
            category = name if name in CATEGORIES else _CATEGORIES.get(name, _OTHERWISE)
            if not isinstance(score, int | float) or isinstance(score, bool) or not math.isfinite(score):
                raise DetectorUnavailable("The moderation endpoint gave a score that is not a number.")
            if category not in best or best[category].score < score:
                explanation = f"remote:{str(name)[:40]}"
                best[category] = Finding(category, float(score), (0, length), self.name, self.version, explanation)
        return list(best.values())


def _checked_host(url: str) -> str:
    """The host of a moderation endpoint. Raises ConfigError; the address itself, which may hold a key, is not told."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("http", "https"):
        raise ConfigError("moderation_url must be a whole http or https address, such as http://host/v1/moderations.")
    if parts.username is not None or parts.password is not None:
        raise ConfigError("moderation_url holds a name or a password. Put the key into PLAYGROUND_MODERATION_KEY.")
    if parts.scheme == "http" and is_address(host) and not _is_near(host):
        raise ConfigError(_NOT_NEAR)
    return host


def _is_near(host: str) -> bool:
    return is_loopback(host) or is_private(host)
