"""A look inside an answer: its tokens and what else was possible, the next token, and what the model received.

Nothing of it is stored. Probabilities are computed when somebody asks, for the text that the gate released, and what
the model only held possible is told as far as the gate clears it after that text.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from playground.catalog.catalog import Catalog
from playground.catalog.spec import ModelSpec
from playground.chat import prompting
from playground.chat.answering import EngineSource, Preparation
from playground.chat.incoming import check_id
from playground.chat.masking import Mask
from playground.chat.prompt_views import PromptView, prompt_view
from playground.chat.prompting import Built
from playground.chat.thread import branch
from playground.chat.token_views import (
    AlternativeView,
    AnswerView,
    PlaceView,
    StepView,
    TokenView,
    alternative_view,
    covered_places,
    masked_view,
    token_view,
)
from playground.domain import (
    Action,
    Conversation,
    Direction,
    FinishReason,
    Language,
    Loading,
    Message,
    Queued,
    SamplingParams,
)
from playground.engines.contract import Candidate, Engine, LegibleTokenizer, Look, TransparentEngine
from playground.errors import Busy, InvalidRequest, NoProbabilities
from playground.moderation.contract import Moderator, OutputGuard
from playground.moderation.redaction import guess_language, marks_in
from playground.storage.conversations import ConversationStore

ALTERNATIVES = 10
"""How many candidates are told for one place."""
MOST_TOKENS = 1024
"""The longest stretch of an answer that is looked at."""
_KEPT_ANSWERS = 16
_IDS = 2**31


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose answer is looked at: which message of which conversation, for whom and in which language."""

    owner: str
    conversation_id: str
    message_id: str
    language: Language = "en"


@dataclass(frozen=True, slots=True)
class _Case:
    """An answer with everything that led to it. `branch` ends with the question."""

    conversation: Conversation
    branch: tuple[Message, ...]
    answer: Message
    spec: ModelSpec

    @property
    def params(self) -> SamplingParams:
        return self.conversation.params or self.spec.defaults

    @property
    def text(self) -> str:
        """The answer as the model wrote it: with its thoughts in their tags."""
        if not self.answer.reasoning or self.spec.reasoning_tags is None:
            return self.answer.content
        opening, closing = self.spec.reasoning_tags
        return f"{opening}{self.answer.reasoning}{closing}{self.answer.content}"


@dataclass(frozen=True, slots=True)
class _Open:
    """A case on the table, with the model loaded."""

    case: _Case
    engine: Engine
    tokenizer: LegibleTokenizer
    built: Built
    answer: tuple[int, ...]
    whole: bool

    def end(self, entropy: float) -> TokenView:
        """The place behind the tokens that are looked at."""
        return TokenView("", "end" if self.whole else "more", None, entropy)

    @property
    def recut(self) -> bool:
        """Whether the model wrote more tokens than its text is read back into, the one that ends it aside."""
        usage = self.case.answer.usage
        plain = self.whole and not self.stopped and not self.case.answer.reasoning and not self.case.answer.verdicts
        return plain and usage is not None and usage.completion_tokens > len(self.answer) + 1

    @property
    def stopped(self) -> bool:
        """Whether the gate ended the answer: what would have come next is not shown."""
        return self.whole and self.case.answer.finish_reason is FinishReason.CONTENT_FILTER


class Inspector:
    """Looks inside answers. Safe to use from many threads; `models` makes a model ready (None: every model is).

    Every method raises UnknownConversation when the conversation is not the owner's, InvalidRequest when the message is
    no answer in it, Busy while it is being written, UnknownModel, NoProbabilities when its engine shows none, and what
    loading a model raises.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        engines: EngineSource,
        models: Preparation | None = None,
        moderator: Moderator,
        conversations: ConversationStore,
    ) -> None:
        self._catalog = catalog
        self._engines = engines
        self._models = models
        self._moderator = moderator
        self._store = conversations
        self._kept: OrderedDict[object, tuple[Look, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def tokens(self, subject: Subject) -> AnswerView:
        """The answer's tokens, and the place behind the last one, unless the gate stopped the answer there."""
        with self._opened(subject) as table:
            looks = self._looks(table)
            texts = table.tokenizer.texts(table.answer, start=True)
            hidden = covered_places(texts, _covered(table.case))
            views = [
                token_view(token, text, look, table.tokenizer, covered=place in hidden)
                for place, (token, text, look) in enumerate(zip(table.answer, texts, looks, strict=False))
            ]
            end = () if table.stopped else (table.end(looks[-1].entropy),)
            return AnswerView((*views, *end), table.recut)

    def place(self, subject: Subject, place: int) -> PlaceView:
        """What else was possible at one place of the answer, as far as the gate clears it there."""
        with self._opened(subject) as table:
            looks = self._looks(table)
            if not 0 <= place < len(looks) - table.stopped:
                raise InvalidRequest(f"The answer has no place {place}. Reload the page and try again.")
            texts = table.tokenizer.texts(table.answer, start=True)
            look = looks[place]
            token = table.end(look.entropy)
            if look.stands is not None:
                covered = place in covered_places(texts, _covered(table.case))
                token = token_view(table.answer[place], texts[place], look, table.tokenizer, covered=covered)
            found = self._cleared(table, table.answer[:place], look.top, subject.language)
            return PlaceView(place, token, () if token.kind == "covered" else found)

    def step(self, subject: Subject, place: int, chosen: Sequence[int], params: SamplingParams) -> StepView:
        """What may come next, after the first `place` tokens of the answer and those that were `chosen` since."""
        with self._opened(subject) as table:
            given = self._given(table, place, chosen)
            texts = table.tokenizer.texts(given, start=True)
            text = "".join(texts)
            mask = self._mask(table.case, subject.language)
            cleared = mask.cleared(text)
            if cleared != text or (table.stopped and given[: len(table.answer)] == table.answer):
                return StepView(cleared, (), stopped=True)
            if given and table.tokenizer.is_control(given[-1]):
                return StepView(text, tuple(texts), ended=True)
            ids = (*table.built.prompt.token_ids, *given)
            prompt = replace(table.built.prompt, token_ids=ids, answered=len(given))
            (look,) = _transparent(table).look(prompt, params, first=len(given), count=ALTERNATIVES)
            found = self._cleared(table, given, (*look.top, look.drawn), subject.language)
            return StepView(text, tuple(texts), found[:-1], found[-1], look.entropy, look.kept)

    def beginning(self, subject: Subject, place: int, chosen: Sequence[int]) -> tuple[int, ...]:
        """The tokens with which another version of the answer begins: its first `place` ones, then those `chosen`."""
        with self._opened(subject) as table:
            return self._given(table, place, chosen)

    def prompt(self, subject: Subject) -> PromptView:
        """What the model received before it wrote the answer."""
        with self._opened(subject) as table:
            usage = table.case.answer.usage
            return prompt_view(
                table.built,
                table.case.branch,
                table.tokenizer,
                table.engine.capabilities.context_length,
                usage.prompt_tokens if usage is not None else None,
            )

    def question(self, subject: Subject) -> Message:
        """The question that the answer answers."""
        return self._case(subject).branch[-1]

    def _case(self, subject: Subject) -> _Case:
        conversation = self._store.get(subject.owner, check_id(subject.conversation_id))
        path = branch(self._store.parents(conversation.id), subject.message_id)
        found = self._store.messages(conversation.id, path)
        messages = tuple(found[message_id] for message_id in path)
        if len(messages) < 2 or messages[-1].role != "assistant" or messages[-1].model_id is None:
            raise InvalidRequest("There is no such answer in this conversation. Reload the page and try again.")
        if messages[-1].finish_reason is None:
            raise Busy("This answer is still being written. Wait for its end, or stop it first.")
        return _Case(conversation, messages[:-1], messages[-1], self._catalog.get(messages[-1].model_id))

    @contextmanager
    def _opened(self, subject: Subject) -> Iterator[_Open]:
        case = self._case(subject)
        tokenizer = self._tokenizer(case.spec)
        spec = self._models.prepare(case.spec, _ignore, _never) if self._models else case.spec
        with self._engines.acquire(spec) as engine:
            context = engine.capabilities.context_length
            built = prompting.build(
                case.branch,
                spec,
                case.params,
                system_prompt=case.conversation.system_prompt,
                tokenizer=self._engines.tokenizer(spec),
                context_length=context,
            )
            room = min(MOST_TOKENS, context - len(built.prompt.token_ids) - 1)
            answer = tuple(tokenizer.encode(case.text))
            yield _Open(case, engine, tokenizer, built, answer[:room], whole=len(answer) <= room)

    def _tokenizer(self, spec: ModelSpec) -> LegibleTokenizer:
        tokenizer = self._engines.tokenizer(spec)
        if not isinstance(tokenizer, LegibleTokenizer):
            raise NoProbabilities(
                f"{spec.name} does not show its tokens: they are made elsewhere. Choose a model that runs here."
            )
        return tokenizer

    def _looks(self, table: _Open) -> tuple[Look, ...]:
        """The look at every place of the answer, computed once as long as nothing changes."""
        prompt = table.built.prompt
        key = (table.case.spec.id, prompt.token_ids, table.answer, table.case.params)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        whole = replace(prompt, token_ids=(*prompt.token_ids, *table.answer), answered=len(table.answer))
        looks = tuple(_transparent(table).look(whole, table.case.params, first=0, count=ALTERNATIVES))
        with self._lock:
            self._kept[key] = looks
            if len(self._kept) > _KEPT_ANSWERS:
                self._kept.popitem(last=False)
        return looks

    def _given(self, table: _Open, place: int, chosen: Sequence[int]) -> tuple[int, ...]:
        if not 0 <= place <= len(table.answer) or len(chosen) > MOST_TOKENS:
            raise InvalidRequest("The answer has no such place. Reload the page and try again.")
        if not all(0 <= token < _IDS and table.tokenizer.name(token) for token in chosen):
            raise InvalidRequest("The model has no such token. Reload the page and try again.")
        return (*table.answer[:place], *chosen)

    def _cleared(
        self, table: _Open, before: Sequence[int], candidates: Sequence[Candidate], language: Language
    ) -> tuple[AlternativeView, ...]:
        """The candidates for the place after `before`, those masked that the gate would not let through there."""
        mask = self._mask(table.case, language)
        written = "".join(table.tokenizer.texts(before, start=True))
        known: dict[int, AlternativeView] = {}
        for candidate in candidates:
            if candidate.token_id in known:
                continue
            text = table.tokenizer.texts([*before, candidate.token_id], start=True)[-1]
            shown = alternative_view(candidate, text, table.tokenizer)
            known[candidate.token_id] = shown if mask.clears(written, text) else masked_view(candidate)
        return tuple(known[candidate.token_id] for candidate in candidates)

    def _mask(self, case: _Case, language: Language) -> Mask:
        """What stands between the model and the person, as for the answer itself."""
        asked = [message.content for message in case.branch]
        spoken = guess_language(asked[-1], language)

        def new_guard() -> OutputGuard:
            return self._moderator.guard(Direction.OUTPUT, context=asked, language=spoken, model_id=case.spec.id)

        return Mask(new_guard)


def _transparent(table: _Open) -> TransparentEngine:
    engine = table.engine
    if not isinstance(engine, TransparentEngine) or not engine.capabilities.logprobs:
        raise NoProbabilities(f"{table.case.spec.name} does not show how probable tokens are. Choose another model.")
    return engine


def _covered(case: _Case) -> list[tuple[int, int]]:
    """Where marks stand in the answer for what the gate covered."""
    if not any(verdict.action is Action.REDACT for verdict in case.answer.verdicts):
        return []
    return marks_in(case.text)


def _ignore(news: Loading | Queued) -> None:
    del news


def _never() -> bool:
    return False
