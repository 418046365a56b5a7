"""What all tabs share: the view of this browser tab, the components that follow from it, and how events are wired."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
from gradio.components import Component

from playground.services import Services
from playground.ui.chat_view import ChatView
from playground.ui.owner import owner_of
from playground.ui.words import Words

Updates = dict[Component, object]
Trigger = Callable[..., Any]

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
"""For every listener: no progress overlay, and no public API endpoint."""


@dataclass(frozen=True, slots=True)
class Context:
    """Who answers and in which language."""

    services: Services
    words: Words

    def view(self, view: ChatView | None, request: gr.Request) -> ChatView:
        """The view of this tab; a new one when there is none yet or it belongs to another browser."""
        owner = owner_of(request.request)
        if view is None or view.owner != owner:
            return ChatView(owner, self.services.settings.default_model)
        return view


@dataclass(frozen=True, slots=True)
class Canvas:
    """The page as one thing to draw on: `components` are exactly the keys of what `render` returns."""

    state: gr.State
    components: Sequence[Component]
    render: Callable[[ChatView], Updates]
    follow: Callable[..., Any]
    followed: Sequence[Component]
    settle: Callable[..., Any]
    triggers: list[Trigger] = field(default_factory=list)
    followers: list[Any] = field(default_factory=list)

    def wire(self, trigger: Trigger, handler: Callable[..., Updates], inputs: Sequence[Component] | None = None) -> None:
        """On an event: let the handler change what is shown; if an answer is being written there, follow it to its end.

        Whatever was followed before is let go of; the answer itself goes on.
        """
        given = [self.state] if inputs is None else list(inputs)
        changed = trigger(handler, given, [self.state, *self.components], queue=False, **QUIET)
        following = changed.success(
            self.follow, [self.state], list(self.followed), concurrency_limit=None, **QUIET
        )
        following.success(self.settle, [self.state], [self.state, *self.components], queue=False, **QUIET)
        self.triggers.append(trigger)
        self.followers.append(following)

    def finish(self) -> None:
        """Call once after all `wire` calls: an event that shows something else ends the following of what was shown."""
        for trigger in self.triggers:
            trigger(None, None, None, cancels=self.followers, queue=False, **QUIET)
