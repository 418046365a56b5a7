"""The sandbox for chat templates: Jinja's immutable one, and an end to time and memory.

Jinja keeps a template away from files and from Python's insides, but lets it loop for ever and fill the memory. Here
every turn of a loop, every call and every filter is a step at which the processor time is looked at, every value that
a template makes is paid for with its size, and what could be far larger than its parts is measured before it is made.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

SECONDS = 5.0
"""Processor time of one rendering."""
LARGEST = 32_000_000
"""Characters and items that one rendering may make, altogether; far more than any context holds."""
_WIDEST = 10_000  # a width or a count that is given to a filter or to a method of a text
_TOO_WIDE = re.compile(r"[0-9]{5}|\*")
_LONGEST_NUMBER = 100_000  # bits
# What no prompt needs, and what takes more time or room than can be told from its arguments.
_LEFT_OUT_FILTERS = ("center", "format", "groupby", "pprint", "sum", "urlize", "wordwrap", "xmlattr")
_LEFT_OUT_METHODS = frozenset({"translate", "expandtabs", "format_map"})


class _Meter:
    """What a rendering has left."""

    def __init__(self) -> None:
        self._left = LARGEST
        self._end = time.thread_time() + SECONDS

    def pay(self, size: int) -> None:
        """Raises SecurityError when nothing is left."""
        self._left -= size
        if self._left < 0 or time.thread_time() > self._end:
            raise SecurityError("the template does not come to an end")

    def pay_for(self, value: Any) -> Any:
        """Pay for a value and all that is in it, which may be the same thing many times; returns it."""
        self.pay(1 + _size(value))
        if isinstance(value, list | tuple):
            for item in value:
                self.pay_for(item)
        elif isinstance(value, dict):
            for item in value.values():
                self.pay_for(item)
        return value


_meter: ContextVar[_Meter] = ContextVar("template_meter")


@contextmanager
def metered() -> Iterator[None]:
    """One compilation or rendering; templates of a `BoundedEnvironment` run inside of it only."""
    token = _meter.set(_Meter())
    try:
        yield
    finally:
        _meter.reset(token)


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """Makes templates that end. A step that is too much raises SecurityError, which is a TemplateError."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, **options: Any) -> None:
        super().__init__(finalize=self.sized, **options)
        for name in _LEFT_OUT_FILTERS:
            del self.filters[name]
        self.filters = {name: bounded_filter(name, run) for name, run in self.filters.items()}
        del self.globals["lipsum"]

    def turns(self, items: Iterable[Any]) -> Iterable[Any]:
        """The items of a loop, every one of them a step."""
        if isinstance(items, str | list | tuple | dict | range):
            _meter.get().pay(len(items))
            return items
        return _counted(items)

    def sized(self, value: Any) -> Any:
        """A value that becomes a part of a text."""
        return _meter.get().pay_for(value)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for loop in list(tree.find_all(nodes.For)):
            loop.iter = _asked("turns", loop.iter)
        for text in list(tree.find_all(nodes.Concat)):
            parts = [_asked("sized", part) for part in text.nodes]
            text.nodes = [_asked("sized", nodes.Concat(parts, lineno=text.lineno))]
        tree.set_environment(self)
        return tree

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805  as Jinja has it
        """Every call; methods of texts that could make far more of them are looked at before."""
        owner, name = getattr(__obj, "__self__", None), getattr(__obj, "__name__", "")
        if owner is __self:
            return __obj(*args)
        if isinstance(owner, str):
            if name in _LEFT_OUT_METHODS:
                raise SecurityError("a template may not use that")
            args = ([*_counted(args[0])],) if name == "join" and args else args
            _foresee(name, owner, (*args, *kwargs.values()))
        return _meter.get().pay_for(super().call(__context, __obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """What `+`, `*`, `**` and `%` make."""
        if operator == "*" and not (isinstance(left, int | float) and isinstance(right, int | float)):
            counts = [value for value in (left, right) if isinstance(value, int)]
            _meter.get().pay(max(_size(left), _size(right)) * max(counts, default=1))
        elif operator == "**":
            _refuse_wide((left, right))
        elif operator == "%" and isinstance(left, str):
            _foresee("format", left, right if isinstance(right, tuple) else (right,))
        return _meter.get().pay_for(super().call_binop(context, operator, left, right))


def _asked(name: str, argument: nodes.Node) -> nodes.Expr:
    """The environment's method of that name, called with `argument`; no template can give it another meaning."""
    method = nodes.EnvironmentAttribute(name, lineno=argument.lineno)
    return nodes.Call(method, [argument], [], None, None, lineno=argument.lineno)


def _counted(items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        _meter.get().pay(1)
        yield item


def _size(value: Any) -> int:
    """Characters of a text, items of a list, digits of a number."""
    if isinstance(value, int):
        return value.bit_length() // 3 if value.bit_length() <= _LONGEST_NUMBER else LARGEST
    return len(value) if isinstance(value, str | bytes | list | tuple | dict) else 1


def _refuse_wide(values: Iterable[Any]) -> None:
    if any(isinstance(value, int) and abs(value) > _WIDEST for value in values):
        raise SecurityError("the template gives too large a number")


def _foresee(name: str, text: str, arguments: tuple[Any, ...]) -> None:
    """Pay before for what a method or a filter may make of a text. `join` is given the items first."""
    pay, longest = _meter.get().pay, max(map(_size, arguments), default=0)
    match name:
        case "replace":
            old = str(arguments[0]) if arguments else ""
            pay((text.count(old) if old else len(text) + 1) * longest)
        case "join":
            items, between = arguments[0] if arguments else [], max(len(text), *map(_size, arguments[1:]), 0)
            pay(sum(map(_size, items)) + len(items) * between)
        case "format":
            _refuse_wide(arguments)
            if _TOO_WIDE.search(text):
                raise SecurityError("the template asks for too wide a text")
            pay((text.count("{") + text.count("%")) * longest)
        case "indent":
            pay(
                (text.count("\n") + 1)
                * max((_size(one) if isinstance(one, str) else one for one in arguments), default=4)
            )
        case _:
            _refuse_wide(arguments)


def bounded_filter(name: str, run: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, paying for what it is given and for what it makes."""
    skipped = 1 if hasattr(run, "jinja_pass_arg") else 0

    @wraps(run)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        value, *others = args[skipped:]
        told: tuple[Any, ...] = (*others, *kwargs.values())
        if name == "join":
            if "attribute" in kwargs or len(others) > 1:
                raise SecurityError("the template may not join like that")
            value = [*_counted(value)]
            told = (value, *told)
        _foresee(name, value if isinstance(value, str) else "", told)
        _meter.get().pay_for(value)
        return _meter.get().pay_for(run(*args[:skipped], value, *others, **kwargs))

    return bounded
