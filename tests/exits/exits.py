"""Every exit of the running product by which a model's words, or people's, can leave it.

To add one (a room brings a new way out): give `Scene.play` in `scene.py` the step that uses it, and `EXITS` a line that
reads what left by it, raw, with the parts of the code it stands for. `test_surface.py` lists the parts of the code from
the code itself (see `surface.py`), and fails while one of them is in no line here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from playground.chat.export import EXPORTS
from playground.domain import ReasoningDelta, TextDelta
from playground.review.numbers import Dimension
from playground.storage.schema import metadata
from tests.exits.canaries import MARK
from tests.exits.scene import OWNER, Scene


@dataclass(frozen=True, slots=True)
class Exit:
    """A way out. `read` gives all that left by it; `stands_for` names parts of the code, as patterns on their names.

    `holds`: which words are among what leaves. Those of answers must be, so that a reader that reads nothing is
    noticed, and where there are to be none there must be none. `page`: it is an exit of a page, and there is nothing to
    read where none is served.
    """

    name: str
    read: Callable[[Scene], str]
    stands_for: tuple[str, ...] = ()
    holds: Literal["answers", "questions", "no words"] = "answers"
    page: bool = False


def _events(scene: Scene, kind: type[TextDelta] | type[ReasoningDelta]) -> str:
    return "".join(event.text for run, _, _ in scene.runs for event in run.events() if isinstance(event, kind))


def _threads(scene: Scene) -> str:
    """Every version of every message of every conversation, as a reload brings them back."""
    chat = scene.services.chat
    threads = []
    for conversation in chat.conversations(OWNER):
        first = chat.thread(OWNER, conversation.id)
        threads += [first, *(chat.select(OWNER, conversation.id, one) for one in first.versions[first.messages[0].id])]
        for message in first.messages:
            threads += [chat.select(OWNER, conversation.id, one) for one in first.versions[message.id]]
    return repr(threads)


def _seen(view: object) -> str:
    """What was looked at, and its tokens joined: a canary that is taken apart is one all the same."""
    pieces = view if isinstance(view, tuple) else getattr(view, "pieces", ())
    tokens = [token for piece in pieces for token in getattr(piece, "tokens", (piece,))]
    return repr(view) + "".join(token.text for token in tokens)


def _decisions(scene: Scene) -> str:
    services = scene.services
    return repr(services.decisions.newest(100_000)) + repr(services.workbench.detectors())


def _reports(scene: Scene) -> str:
    return repr([scene.services.workbench.reports(labelled=labelled) for labelled in (True, False)])


def _numbers(scene: Scene) -> str:
    dimensions: tuple[Dimension, ...] = ("category", "direction", "language", "model")
    return repr([scene.services.workbench.numbers(dimension, "week") for dimension in dimensions])


def _disk(scene: Scene) -> str:
    """Every byte of the data folder, but for what the operator put there, and what is made of it beside it."""
    files = [file for file in sorted(scene.services.settings.data_dir.rglob("*")) if file.is_file()]
    written = [file for file in files if not {file, file.parent} & scene.placed]
    return b"\n".join(file.read_bytes() for file in written).decode("utf-8", "replace")  # what is no text parts words


def _found(scene: Scene) -> str:
    """What a search for the canary brings up: titles and ids of conversations that have it."""
    chat = scene.services.chat
    words = [MARK, *(word for canary in scene.canaries for word in canary.core.split())]
    return repr([chat.conversations(OWNER, word) for word in words if len(word) > 3])


def json_words(text: str) -> str:
    """The same with what JSON writes as escapes, read: words must be found however they are written."""
    return text + re.sub(r"\\u([0-9a-f]{4})|\\n", lambda found: chr(int(found[1], 16)) if found[1] else "\n", text)


def _log(scene: Scene) -> str:
    """All that was logged, without the random nonces of the pages: some have three letters of a canary."""
    return re.sub(r"nonce-[\w-]{22}", "", "\n".join(scene.log))


EXITS = (
    Exit("answer stream", lambda scene: _events(scene, TextDelta), ("event:TextDelta",)),
    Exit("tokens", lambda scene: "\n".join(scene.tokens), ("event:TokenScores",)),
    Exit("api, whole", lambda scene: scene.api["whole"].decode(), (r"route:POST /v1/(chat/)?completions",), page=True),
    Exit("api, streamed", lambda scene: scene.api["streamed"].decode(), page=True),
    Exit(
        "api, other", lambda scene: scene.api["other"].decode(), ("route:POST /v1/moderations",), "no words", page=True
    ),
    Exit(
        "endpoints and tools",
        lambda scene: json_words(scene.api["tools"].decode()),
        (r"route:\w+ /gradio_api/(queue/(join|data)|call/.*|mcp/?)",),
        page=True,
    ),
    Exit("reasoning stream", lambda scene: _events(scene, ReasoningDelta), ("event:ReasoningDelta",)),
    Exit(
        "all events",
        lambda scene: repr([list(run.events()) for run, _, _ in scene.runs]),
        ("event:(Queued|Loading|Checking|Blocked|Finished|Failed)",),
    ),
    Exit("live view", lambda scene: repr([run.snapshot() for run, _, _ in scene.runs])),
    Exit("titles", lambda scene: repr(scene.services.chat.conversations(OWNER)), holds="questions"),
    Exit("search", _found, holds="questions"),
    Exit("history, retries, edits", _threads, ("service:chat",)),
    Exit("comparisons, blind and not", lambda scene: "".join(scene.compared), ("service:arena",)),
    Exit("look inside", lambda scene: "".join(map(_seen, scene.inside)), ("service:inspector",)),
    Exit("disk", _disk, ("service:(database|snapshots)",)),
    Exit("decisions", _decisions, ("service:decisions",), holds="no words"),
    Exit("reports", _reports, ("service:reports",)),
    Exit("numbers", _numbers, ("service:workbench",), holds="no words"),
    Exit("export of cases", lambda scene: "".join(scene.services.workbench.cases())),
    Exit(
        "page",
        lambda scene: scene.wire["page"].decode("utf-8", "ignore"),
        ("listener:page .*", r"route:\w+ /\{language\}/(|config/?|gradio_api/(run|queue)/.*)"),
        page=True,
    ),
    Exit(
        "workbench",
        lambda scene: scene.wire["workbench"].decode("utf-8", "ignore"),
        (
            "listener:workbench .*",
            r"route:\w+ /workbench/\{language\}/(|config/?|gradio_api/(run|queue)/.*)",
            "route:GET /workbench/cases.jsonl",
        ),
        page=True,
    ),
    Exit(
        "export",
        lambda scene: "".join("".join(write(scene.services.chat, OWNER)) for write, _ in EXPORTS.values()),
        (r"route:GET /export/.*",),
    ),
    Exit(
        "arena's page",
        lambda scene: scene.wire["arena"].decode("utf-8", "ignore"),
        (
            "listener:arena .*",
            r"route:\w+ /arena/\{language\}/(|config/?|gradio_api/(run|queue)/.*)",
            r"route:GET /arena/comparisons/\{name\}",
            r"route:GET /arena/votes/\{name\}",
        ),
        page=True,
    ),
    Exit("log", _log, ("log",), holds="no words"),
    Exit("commands", lambda scene: repr(scene.printed), ("command:moderation .*",), holds="no words"),
)

WORDLESS = {
    r"route:\w+ (/|/workbench/?|/arena/?)": "leads to the page in the visitor's language",
    "route:GET /(healthz|readyz)": "says ok, or which part of the house is not ready",
    "route:GET /metrics": "figures; tests/operation looks for words in them",
    "service:metrics": "figures",
    "command:doctor": "what is set up on this machine",
    r"route:GET /v1/(models(/\{model_id:path\})?|openapi.json)": "which models there are, and what may be asked",
    "route:POST /v1/embeddings": "says that there are none",
    "service:sessions": "hashes of the operator's sessions",
    "service:usage": "hashes of callers, and how often and how much they asked",
    "service:keys": "hashes of keys, and names that the operator gave them",
    "command:keys .*": "keys by name",
    "route:(GET|POST) /workbench/(login|logout)": "a form, and where it leads",
    r"route:\w+ /static/.*": "the same files for everybody",
    r"route:GET /(config|gradio_api/info)/?": "how the three endpoints are called",
    r"route:\w+ /gradio_api/(cancel|reset/?|heartbeat/.*)": "signs of life of the endpoints' clients",
    r"route:\w+ (/workbench|/arena)?/\{language\}/(theme.css|(assets|static|svelte)/.*)": (
        "the same files for everybody"
    ),
    r"route:\w+ (/workbench|/arena)?/\{language\}/gradio_api/theme.css": "the same file for everybody",
    r"route:\w+ (/workbench|/arena)?/\{language\}/gradio_api/(cancel|reset/?|heartbeat/.*|startup-events|app_id/?)": (
        "signs of life"
    ),
    "service:(settings|catalog|pool|guard_pool|moderator)": "what the operator set, models, engines, the gate",
    "service:library": "models on this machine and on the Hub",
    "command:models .*": "models on this machine and on the Hub",
    "command:arena (ratings|export|import)": "ratings and rows of votes; columns of answers are not printed",
    "command:arena duel": "counts; its answers are seen in comparisons only",
}
"""Parts of the code that can be reached and have no words of people or models to tell, and why."""

KEPT = {
    "conversations.title",
    "conversations.system_prompt",
    "messages.content",
    "messages.reasoning",
    "reports.text",
    "comparisons.title",
    "duels.questions",
}
"""Columns that hold words: cleared ones, and with `keep_flagged_text` what people reported of their own."""
WORDLESS_COLUMNS = {
    "conversations": "id owner model_id params leaf_id comparison_id",
    "comparisons": "id owner mode schedule language winner batch",
    "duels": "id models",
    "comparison_sides": "comparison_id conversation_id",
    "votes": "id comparison_id mode model_a model_b winner language category session prompt_hash schedule"
    " side_a side_b",
    "messages": "id conversation_id parent_id role model_id finish_reason usage timings making verdicts error",
    "decisions": "id verdict_id conversation_id direction action category detector version policy language model_id"
    " degraded owner shadow text_hash",
    "api_keys": "id name start hash used_on",
    "api_requests": "id caller process_id",
    "api_usage": "caller day",
    "sessions": "hash",
    "marks": "name hash",
    "processes": "id",
    "writing": "conversation_id process_id owner run_id user_message_id message_id stop state",
    "reports": "id owner kind subject_id direction action policy language model_id scores text_hash label",
}
"""Columns that could hold text and hold names, numbers and ids only; the test reads them to see."""


def claimed(part: str) -> bool:
    """Whether a part of the code is in some line here."""
    patterns: Iterable[str] = (*(pattern for one in EXITS for pattern in one.stands_for), *WORDLESS)
    return any(matched(pattern, [part]) for pattern in patterns)


def matched(pattern: str, parts: Iterable[str]) -> bool:
    """Whether the pattern names one of these parts."""
    return any(re.fullmatch(pattern, part) for part in parts)


def wordless_values(scene: Scene) -> str:
    """Everything in the columns that are said to hold no words."""
    shown = []
    with scene.services.database.read() as connection:
        for name, columns in WORDLESS_COLUMNS.items():
            table = metadata.tables[name]
            rows = connection.execute(table.select().with_only_columns(*(table.c[one] for one in columns.split())))
            shown.append(repr(rows.all()))
    return "".join(shown)
