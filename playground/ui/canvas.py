"""What all tabs share: the view of this browser tab, the components that follow from it, and how events are wired."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency

from playground.errors import PlaygroundError
from playground.services import Services
from playground.ui.chat_view import ChatView
from playground.ui.owner import owner_of
from playground.ui.words import Words

Updates = dict[Component, object]
Trigger = Callable[..., Any]
Change = Callable[[ChatView, gr.EventData], ChatView]
"""What an event does to the view; may raise PlaygroundError."""

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
"""For every listener: no progress overlay, and no public API endpoint."""


@dataclass(frozen=True, slots=True)
class Context:
    """Who answers and in which language."""

    services: Services
    words: Words

    def view(self, view: ChatView | None, request: gr.Request) -> ChatView:
        """The view of this tab; a new one when there is none yet or it belongs to another browser."""
        owner = owner_of(request)
        if view is None or view.owner != owner:
            return ChatView(owner, self.services.settings.default_model)
        return view


V = TypeVar("V")


class Seating(Protocol[V]):
    """Whose view of the page it is, and the words it is told in."""

    @property
    def words(self) -> Words: ...

    def view(self, view: V | None, request: gr.Request) -> V:
        """The view of a browser tab; a new one when there is none yet or it belongs to another browser."""
        ...


S = TypeVar("S", bound=Seating[Any])


@dataclass(frozen=True, slots=True)
class Canvas(Generic[V, S]):
    """The page as one thing to draw on: `components` and the state are exactly the keys of what `render` returns.

    `following` is the listener that follows an answer; the page starts it whenever it is shown one being written.
    `fail` puts the notice of an error into a view.
    """

    context: S
    state: gr.State
    components: Sequence[Component]
    render: Callable[[V], Updates]
    following: Dependency
    fail: Callable[[V, Words, PlaygroundError], V]

    @property
    def outputs(self) -> list[Component]:
        """The keys of `render`."""
        return [self.state, *self.components]

    def wire(self, trigger: Trigger, change: Callable[[V, gr.EventData], V]) -> None:
        """On an event: let go of the answer that is followed (it goes on by itself), change the view, and redraw.

        A PlaygroundError leaves the view as it was, with a notice.
        """

        def handler(view: V | None, request: gr.Request, event: gr.EventData) -> Updates:
            seen = self.context.view(view, request)
            try:
                return self.render(change(seen, event))
            except PlaygroundError as error:
                return self.render(self.fail(seen, self.context.words, error))

        # Two listeners, in this order: Gradio runs them one after the other, and would else end the next following.
        trigger(None, None, None, cancels=[self.following], queue=False, **QUIET)
        trigger(handler, [self.state], self.outputs, queue=False, **QUIET)


ChatCanvas = Canvas[ChatView, Context]
