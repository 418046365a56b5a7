"""One request to one server, from the first byte sent to the last piece of the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from playground.domain import FinishReason, Timings, Usage
from playground.engines.contract import Delta
from playground.engines.remote.body import Asked
from playground.engines.remote.chunks import Chunk, ErrorInStream, read_chunk
from playground.engines.remote.connection import LARGEST_ANSWER, LARGEST_ERROR, read_object, unreachable
from playground.engines.remote.faults import Fault, Malformed, Remedy
from playground.engines.remote.refusals import Refusal, fault_of, filtered
from playground.engines.remote.replica import Replica
from playground.engines.remote.sse import EventReader
from playground.engines.remote.whole_text import WholeText
from playground.engines.stop_texts import StopTexts
from playground.errors import EngineTimeout, ServerFailed

if TYPE_CHECKING:
    import httpx

Put = Callable[[Delta], Awaitable[None]]
_DONE = "[DONE]"
_USAGE_SECONDS = 2.0  # how long the counts may come after the last piece
# A server that does not keep to max_tokens is stopped here. Chunks can be smaller than tokens, so there is some room.
_CHUNKS_PER_TOKEN, _CHUNKS_MORE = 4, 64


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds to wait: for a connection, from there for the first piece of the answer, and between two pieces."""

    connect: float = 10.0
    first_token: float = 120.0
    between_tokens: float = 60.0


class Refused(Exception):
    """The server answered with a status other than 200."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.status)
        self.refusal = refusal


class Attempt:
    """Reads one answer and hands its pieces on. `begun` once a piece was handed on: from then on nothing is repeated.

    `asked_at` is when the person's question came to the engine, on the event loop's clock.
    """

    def __init__(self, replica: Replica, asked: Asked, limits: Limits, put: Put, asked_at: float) -> None:
        self.begun = False
        self._replica = replica
        self._name = asked.name
        self._limits = limits
        self._most_chunks = _CHUNKS_PER_TOKEN * asked.params.max_tokens + _CHUNKS_MORE
        self._put = put
        self._asked_at = asked_at
        self._stops = StopTexts(asked.params.stop)
        self._text, self._reasoning = WholeText(), WholeText()
        self._chunks = 0
        self._first = self._latest = 0.0
        self._usage: Usage | None = None
        self._reason: FinishReason | None = None
        self._ended_here = False  # by a stop text or the length: what the server still writes is not waited for

    async def run(self, body: Mapping[str, Any], accepted: Callable[[], None]) -> None:
        """Send `body` and hand the answer on, its end included. `accepted` is called when the server agrees.

        Raises Refused, or Fault for everything else that goes wrong.
        """
        import httpx  # noqa: PLC0415

        started = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._limits.first_token) as clock:
                async with self._replica.connection.post("/chat/completions", body) as response:
                    await _expect_answer(response)
                    accepted()
                    await self._read(response, clock, started)
        except TimeoutError:
            if self._reason is None:
                raise self._silent() from None
        except httpx.HTTPError as error:
            if self._reason is None:
                raise unreachable(self._replica.server, error) from None
        except Malformed as error:
            raise self._failed(f"answers in a form that is not OpenAI's ({error})") from None
        except ErrorInStream as error:
            raise self._told(error.details) from None
        await self._end()

    async def _read(self, response: httpx.Response, clock: asyncio.Timeout, started: float) -> None:
        """Hand pieces on until the answer has ended; `clock` is set anew by every piece."""
        now = asyncio.get_running_loop().time
        async with aclosing(_chunks(response)) as chunks:
            async for chunk in chunks:
                self._usage = chunk.usage or self._usage
                if self._reason is None and (chunk.text or chunk.reasoning or chunk.logprobs):
                    if not self._first:
                        self._first = now()
                        self._replica.began(self._first - started)
                    self._latest = now()
                    clock.reschedule(self._latest + self._limits.between_tokens)
                    await self._hand_on(chunk)
                    if self._ended_here:
                        return
                if self._reason is None and chunk.finish_reason is not None:
                    self._reason = chunk.finish_reason
                    clock.reschedule(now() + _USAGE_SECONDS)
                if self._reason is not None and self._usage is not None:
                    return

    async def _hand_on(self, chunk: Chunk) -> None:
        self._chunks += 1
        text, stopped = self._stops.feed(self._text.feed(chunk.text))
        reasoning = self._reasoning.feed(chunk.reasoning)
        if stopped:
            self._reason = FinishReason.STOP
        elif self._chunks > self._most_chunks:
            self._reason = FinishReason.LENGTH
        self._ended_here = self._reason is not None
        logprobs = () if chunk.reasoning else chunk.logprobs  # those of thoughts that come apart belong to no text
        if text or reasoning or logprobs:
            self.begun = True
            await self._put(Delta(text, logprobs, reasoning=reasoning))

    async def _end(self) -> None:
        if self._reason is None:
            raise self._failed("ended the connection before the answer was complete")
        if self._reason is FinishReason.CONTENT_FILTER:
            where = self._replica.server.label
            raise Fault(filtered(where, self._name), Remedy.NONE, down=False)
        if self._reason in (FinishReason.ERROR, FinishReason.INTERRUPTED):
            raise self._failed("gave up the answer")
        self._replica.recovered()
        now = asyncio.get_running_loop().time()
        first, latest = self._first or now, self._latest or now
        rest, _ = self._stops.feed(self._text.finish())
        self.begun = True
        await self._put(
            Delta(
                rest + self._stops.finish(),
                finish_reason=self._reason,
                usage=self._usage,
                timings=Timings(first_token=first - self._asked_at, decoding=latest - first),
                reasoning=self._reasoning.finish(),
            )
        )

    def _silent(self) -> Fault:
        where = self._replica.server.label
        if self._first:
            sentence = f"{where} fell silent for {self._limits.between_tokens:g} seconds in the middle of an answer."
        else:
            sentence = f"{where} did not begin to answer for {self._name} within {self._limits.first_token:g} seconds."
        return Fault(EngineTimeout(f"{sentence} Try again, or choose another model."), Remedy.LATER)

    def _failed(self, what: str) -> Fault:
        sentence = f"{self._replica.server.label} {what}. Try again, or choose another model than {self._name}."
        return Fault(ServerFailed(sentence), Remedy.LATER)

    def _told(self, details: Mapping[str, Any]) -> Fault:
        numbers = [details.get(key) for key in ("code", "status", "status_code", "http_status_code")]
        status = next((number for number in numbers if isinstance(number, int) and 400 <= number < 600), 500)
        return fault_of(Refusal(status, {"error": details}), self._replica.addressee(self._name))


async def _expect_answer(response: httpx.Response) -> None:
    if response.status_code != 200:
        complaint = await read_object(response, LARGEST_ERROR)
        raise Refused(Refusal(response.status_code, complaint, response.headers.get("retry-after", "")))
    if response.headers.get("content-encoding", "identity") != "identity":
        raise Malformed("it is compressed although that was not asked for")


async def _chunks(response: httpx.Response) -> AsyncGenerator[Chunk, None]:
    """The chunks of an event stream up to its end; a whole answer in JSON is one chunk."""
    size = 0
    whole = response.headers.get("content-type", "").startswith("application/json")
    content, reader = bytearray(), EventReader()
    async for portion in response.aiter_raw():
        size += len(portion)
        if size > LARGEST_ANSWER:
            raise Malformed("it does not end")
        if whole:
            content += portion
            continue
        for data in reader.feed(portion):
            if data.strip() == _DONE:
                yield Chunk(finish_reason=FinishReason.STOP, usage=None)
                return
            yield read_chunk(data)
    if whole:
        yield read_chunk(content.decode("utf-8", "replace"))
        return
    for data in reader.finish():
        yield Chunk(finish_reason=FinishReason.STOP) if data.strip() == _DONE else read_chunk(data)
