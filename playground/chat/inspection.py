"""A look inside an answer: its tokens and what else was possible, the next token, and what the model received.

Nothing of it is stored. Probabilities are computed when somebody asks, for the text that the gate released; those of
models on servers are what the server told while it wrote. What a model only held possible is told as far as the gate
clears it after that text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from playground.catalog.catalog import Catalog
from playground.chat import prompting
from playground.chat.answering import EngineSource, Preparation
from playground.chat.cases import Case, OpenCase, covered_spans, find_case, is_received, is_recut
from playground.chat.look_book import LookBook, legible, transparent
from playground.chat.masking import Mask, answer_mask
from playground.chat.prompt_views import PromptView, prompt_view
from playground.chat.token_views import (
    AlternativeView,
    AnswerView,
    PlaceView,
    StepView,
    alternative_view,
    covered_places,
    masked_view,
    token_view,
)
from playground.chat.trail_book import Trail, TrailBook
from playground.chat.trail_views import place_view, stretches
from playground.chat.word_costs import WordCosts
from playground.domain import Language, Message, SamplingParams
from playground.engines.contract import Candidate, Look
from playground.errors import InvalidRequest, NoProbabilities, TrailGone
from playground.moderation.contract import Moderator
from playground.moderation.fingerprint import Fingerprint
from playground.storage.conversations import ConversationStore

ALTERNATIVES = 10
"""How many candidates are told for one place."""
MOST_TOKENS = 1024
"""The longest stretch of an answer that is looked at."""
_IDS = 2**31


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose answer is looked at: which message of which conversation, for whom and in which language."""

    owner: str
    conversation_id: str
    message_id: str
    language: Language = "en"


class Inspector:
    """Looks inside answers. Safe to use from many threads; `models` makes a model ready (None: every model is),
    `trails` has what servers told (None: nothing), `looks` keeps what was seen, and `fingerprint` knows the tokens of
    answers again.

    Every method raises UnknownConversation when the conversation is not the owner's, InvalidRequest when the message is
    no answer in it, Busy while it is being written, UnknownModel, NoProbabilities when its engine shows none, and what
    loading a model raises. Of a model on a server there are `tokens` and `place`, or TrailGone when what it told is not
    kept; the others raise RunsElsewhere.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        engines: EngineSource,
        models: Preparation | None = None,
        moderator: Moderator,
        conversations: ConversationStore,
        trails: TrailBook | None = None,
        looks: LookBook | None = None,
        fingerprint: Fingerprint,
    ) -> None:
        self._catalog = catalog
        self._engines = engines
        self._models = models
        self._moderator = moderator
        self._store = conversations
        self._trails = trails or TrailBook()
        self._fingerprint = fingerprint
        self._looks = looks or LookBook()
        self._costs = WordCosts()

    def tokens(self, subject: Subject) -> AnswerView:
        """The answer's tokens, and the place behind the last one, unless the gate stopped the answer there."""
        case = self._case(subject)
        if case.spec.servers:
            return AnswerView(tuple(found.view for found in stretches(self._trail(case), case.answer)), told=True)
        with self._opened(subject) as table:
            looks = self._looked(table)
            texts = table.tokenizer.texts(table.answer, start=True)
            hidden = covered_places(texts, covered_spans(table.case.answer, table.case.text))
            views = [
                token_view(token, text, look, table.tokenizer, covered=place in hidden)
                for place, (token, text, look) in enumerate(zip(table.answer, texts, looks, strict=False))
            ]
            end = () if table.stopped else (table.end(looks[-1].entropy),)
            return AnswerView((*views, *end), table.recut)

    def place(self, subject: Subject, place: int) -> PlaceView:
        """What else was possible at one place of the answer, as far as the gate clears it there."""
        case = self._case(subject)
        if case.spec.servers:
            found = stretches(self._trail(case), case.answer)
            _check_place(place, len(found))
            return place_view(place, found[place], case.answer.content, self._mask(case, subject.language))
        with self._opened(subject) as table:
            looks = self._looked(table)
            _check_place(place, len(looks) - table.stopped)
            texts = table.tokenizer.texts(table.answer, start=True)
            look = looks[place]
            token = table.end(look.entropy)
            if look.stands is not None:
                covered = place in covered_places(texts, covered_spans(table.case.answer, table.case.text))
                token = token_view(table.answer[place], texts[place], look, table.tokenizer, covered=covered)
            stands = None if look.stands is None else look.stands.token_id
            others = self._cleared(table, table.answer[:place], look.top, subject.language, stands)
            return PlaceView(place, token, () if token.kind == "covered" else others)

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
            (look,) = transparent(table.engine, table.case.spec).look(
                prompt, params, first=len(given), count=ALTERNATIVES
            )
            drawn, *found = self._cleared(table, given, (look.drawn, *look.top), subject.language)
            return StepView(text, tuple(texts), tuple(found), drawn, look.entropy, look.kept)

    def beginning(self, subject: Subject, place: int, chosen: Sequence[int]) -> tuple[int, ...]:
        """The tokens with which another version of the answer begins: its first `place` ones, then those `chosen`."""
        with self._opened(subject) as table:
            return self._given(table, place, chosen)

    def prompt(self, subject: Subject) -> PromptView:
        """What the model received before it wrote the answer."""
        with self._opened(subject) as table:
            return prompt_view(
                table.built,
                table.case.branch,
                table.tokenizer,
                context_length=table.engine.capabilities.context_length,
                changed=not is_received(table.case.answer, table.built.prompt.token_ids, self._fingerprint),
                tokens_per_word=self._costs.of(table.tokenizer),
            )

    def question(self, subject: Subject) -> Message:
        """The question that the answer answers."""
        return self._case(subject).branch[-1]

    def _case(self, subject: Subject) -> Case:
        return find_case(self._store, self._catalog, subject.owner, subject.conversation_id, subject.message_id)

    def _trail(self, case: Case) -> Trail:
        trail = self._trails.find(case.answer.id, case.answer.content)
        if trail is None:
            raise TrailGone(
                "How probable these tokens were is not known any more: what servers tell is kept for the latest "
                "answers of everybody here, until the playground starts anew. Press “Try again” under the answer: the "
                "new version has its tokens."
            )
        if case.answer.content and not trail.heard:
            raise NoProbabilities(
                f"The server of {case.spec.name} does not tell how probable tokens are. Choose another model."
            )
        return trail

    @contextmanager
    def _opened(self, subject: Subject) -> Iterator[OpenCase]:
        case = self._case(subject)
        spec, tokenizer = legible(self._engines, self._models, case.spec)
        with self._engines.acquire(spec) as engine:
            context = engine.capabilities.context_length
            built = prompting.build(
                case.branch,
                spec,
                case.params,
                system_prompt=case.conversation.system_prompt,
                tokenizer=tokenizer,
                context_length=context,
            )
            room = min(MOST_TOKENS, context - len(built.prompt.token_ids) - 1)
            answer = tuple(tokenizer.encode_pieces(case.pieces))
            yield OpenCase(
                replace(case, spec=spec),
                engine,
                tokenizer,
                built,
                answer[:room],
                whole=len(answer) <= room,
                recut=is_recut(case.answer, answer, self._fingerprint),
            )

    def _looked(self, table: OpenCase) -> tuple[Look, ...]:
        """The look at every place of the answer."""
        return self._looks.looks(
            table.engine,
            table.case.spec,
            table.built.prompt,
            table.answer,
            table.case.params,
            count=ALTERNATIVES,
            conversation_id=table.case.conversation.id,
        )

    def _given(self, table: OpenCase, place: int, chosen: Sequence[int]) -> tuple[int, ...]:
        if not 0 <= place <= len(table.answer) or len(chosen) > MOST_TOKENS:
            raise InvalidRequest("The answer has no such place. Reload the page and try again.")
        if not all(0 <= token < _IDS and table.tokenizer.name(token) for token in chosen):
            raise InvalidRequest("The model has no such token. Reload the page and try again.")
        if any(map(table.tokenizer.is_control, chosen[:-1])):
            raise InvalidRequest("Nothing can follow a token that is no text. Reload the page and try again.")
        return (*table.answer[:place], *chosen)

    def _cleared(
        self,
        table: OpenCase,
        before: Sequence[int],
        candidates: Sequence[Candidate],
        language: Language,
        stands: int | None = None,
    ) -> tuple[AlternativeView, ...]:
        """The candidates for the place after `before`, those masked that the gate would not let through there.

        The token that `stands` there was released. Once the time of the `Mask` is spent, all others are masked.
        """
        mask = self._mask(table.case, language)
        written = "".join(table.tokenizer.texts(before, start=True))
        known: dict[int, AlternativeView] = {}
        for candidate in candidates:
            if candidate.token_id in known:
                continue
            text = table.tokenizer.texts([*before, candidate.token_id], start=True)[-1]
            shown = alternative_view(candidate, text, table.tokenizer)
            clear = candidate.token_id == stands or mask.clears(written, text)
            known[candidate.token_id] = shown if clear else masked_view(candidate)
        return tuple(known[candidate.token_id] for candidate in candidates)

    def _mask(self, case: Case, language: Language) -> Mask:
        asked = [message.content for message in case.branch]
        return answer_mask(self._moderator, asked, language, case.spec.id)


def _check_place(place: int, count: int) -> None:
    if not 0 <= place < count:
        raise InvalidRequest(f"The answer has no place {place}. Reload the page and try again.")
