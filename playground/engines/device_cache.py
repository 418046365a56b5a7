"""Keys and values in a device's own memory, with the interface of `KVCache`.

onnxruntime's Python interface allocates on a device and tells addresses, but copies nothing there. A graph of one
Identity node does: bound to two addresses it is a copy within the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from playground.engines.graph_session import PROVIDERS, run_error
from playground.errors import OutOfMemory


class DeviceCache:
    """Rows of keys and values on `device`; one more row than asked for serves exchanges.

    `shapes` has (heads, head_size) for every buffer. Raises OutOfMemory when the device has no room.
    """

    def __init__(
        self,
        device: str,
        shapes: Sequence[tuple[int, int]],
        rows: int,
        capacity: int,
        dtype: type[np.floating[Any]] = np.float32,
    ) -> None:
        self.device = device
        self.rows = rows
        self.capacity = capacity
        self.states: list[NDArray[Any]] = []
        self.versions = [0] * rows
        self._dtype = dtype
        self._shapes = list(shapes)
        self._item = np.dtype(dtype).itemsize
        self.bytes_per_token = sum(heads * size for heads, size in shapes) * self._item
        self._copier = _open_copier(device, dtype)
        try:
            self._buffers = [
                onnxruntime.OrtValue.ortvalue_from_shape_and_type([rows + 1, heads, capacity, size], dtype, device, 0)
                for heads, size in shapes
            ]
        except Exception as error:  # the library's errors have no common base
            raise OutOfMemory(
                f"{device} has no room for this model's keys and values. Lower max_batch or kv_cache_mb."
            ) from error

    @property
    def divisible(self) -> bool:
        """Whether the first tokens of a row can be kept without the others."""
        return not self.states

    def place(self, buffer: int, first: int, end: int) -> tuple[int, tuple[int, ...]]:
        """Where the rows from `first` to before `end` of one buffer lie: address and shape."""
        heads, size = self._shapes[buffer]
        row = heads * self.capacity * size * self._item
        return self._buffers[buffer].data_ptr() + first * row, (end - first, heads, self.capacity, size)

    def copy(self, source: int, target: int, length: int) -> None:
        """Copy a row over another; its first `length` tokens matter."""
        del length
        self.versions[target] += 1
        self._copy(source, target)
        for state in self.states:
            state[target] = state[source]

    def swap(self, one: int, other: int, length_one: int, length_other: int) -> None:
        """Exchange two rows."""
        del length_one, length_other
        self.versions[one] += 1
        self.versions[other] += 1
        self._copy(one, self.rows)
        self._copy(other, one)
        self._copy(self.rows, other)
        for state in self.states:
            state[[one, other]] = state[[other, one]]

    def release(self, row: int, kept: int = 0) -> None:
        """Forget a row's tokens behind the first `kept`; the device's memory stays reserved."""
        del kept
        self.versions[row] += 1
        for state in self.states:
            state[row] = 0

    def _copy(self, source: int, target: int) -> None:
        for buffer in range(len(self._buffers)):
            binding = self._copier.io_binding()
            for bind, name, row in ((binding.bind_input, "from", source), (binding.bind_output, "to", target)):
                address, shape = self.place(buffer, row, row + 1)
                bind(name, self.device, 0, self._dtype, shape, address)
            try:
                self._copier.run_with_iobinding(binding)
            except Exception as error:  # the library's errors have no common base
                raise run_error(error) from error


def _open_copier(device: str, dtype: type[np.floating[Any]]) -> onnxruntime.InferenceSession:
    from onnx import helper  # noqa: PLC0415  only a device needs it

    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    ends = [helper.make_tensor_value_info(name, kind, [None] * 4) for name in ("from", "to")]
    graph = helper.make_graph([helper.make_node("Identity", ["from"], ["to"])], "copy", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=[PROVIDERS[device]])  # type: ignore[index]
