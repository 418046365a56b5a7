"""PyTorch's errors in this project's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from playground.errors import EngineError, OutOfMemory, PlaygroundError

# What the allocators of the CPU say; CUDA has a class of its own.
_MEMORY_WORDS = ("can't allocate memory", "not enough memory", "failed to allocate", "out of memory")


def is_memory(error: BaseException) -> bool:
    """Whether there was too little memory, on the device or here."""
    words = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(word in words for word in _MEMORY_WORDS)


@contextmanager
def typed_errors() -> Iterator[None]:
    """Raises OutOfMemory, after giving cached memory back to the device, or EngineError for whatever PyTorch raises."""
    try:
        yield
    except PlaygroundError:
        raise
    except (RuntimeError, MemoryError, ValueError, IndexError, AttributeError) as error:
        if is_memory(error):
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            raise OutOfMemory(
                "The model ran out of memory while answering. Start a new conversation or a smaller model."
            ) from error
        raise EngineError("The model failed while answering. Try again, or choose another model.") from error
