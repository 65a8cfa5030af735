"""Runs an operation on a backend, at a level, with a number of threads, in arrays that notice a stray write."""

import copy

import numpy as np

import flyball._core as native
from flyball import reference
from flyball.backend import OPERATIONS as PARAMETERS
from parity.cases import OPERATIONS, to_double
from parity.tolerances import Tolerance

LEVELS = native.build_info()["levels"]
LEVELS = LEVELS[: LEVELS.index(native.build_info()["detected_level"]) + 1]
THREADS = (1, 2, 3)
BACKENDS = {"native": native, "reference": reference}
GUARD = 64
"""Bytes before and after an array, which nobody may touch."""


class Guarded:
    """Copies of arrays, each between guard bytes, ``offset`` elements away from a multiple of 64 bytes."""

    def __init__(self, arguments, offset):
        self.buffers = []
        self.arguments = {name: self.place(value, offset) for name, value in arguments.items()}

    def place(self, value, offset):
        if not isinstance(value, np.ndarray):
            return copy.copy(value)
        start = GUARD + offset * value.itemsize
        buffer = np.full(start + value.nbytes + 2 * GUARD, 0xA5, np.uint8)
        begin = start + -buffer.ctypes.data % GUARD
        view = buffer[begin : begin + value.nbytes].view(value.dtype).reshape(value.shape)
        view[...] = value
        self.buffers.append((buffer, begin, begin + value.nbytes))
        return view

    def check(self):
        for buffer, begin, end in self.buffers:
            assert (buffer[:begin] == 0xA5).all(), "wrote before an array"
            assert (buffer[end:] == 0xA5).all(), "wrote behind an array"


def run(backend, name, arguments, offset=0):
    """Call an operation on copies of ``arguments``; return them."""
    guarded = Guarded(arguments, offset)
    getattr(backend, name)(*(guarded.arguments[parameter] for parameter in PARAMETERS[name]))
    guarded.check()
    return guarded.arguments


def expected(name, arguments):
    """Return the oracle's outputs, and the inputs, which must stay as they are."""
    outputs = OPERATIONS[name].oracle(**{key: to_double(value) for key, value in arguments.items()})
    inputs = {key: value for key, value in arguments.items() if isinstance(value, np.ndarray) and key not in outputs}
    return {key: value for key, value in outputs.items() if arguments[key] is not None}, inputs


def assert_close(name, dtype, outputs, inputs, got, context, least=0.0):
    """Compare an operation's arguments after the call with what they should be, if inexact to ``least`` or more."""
    tolerance = OPERATIONS[name].tolerance[dtype]
    if tolerance.relative > 0.0:
        tolerance = Tolerance(max(least, tolerance.relative), max(least, tolerance.absolute))
    for key, want in outputs.items():
        scale = max(1.0, float(np.abs(want).max(initial=0.0))) if want.dtype != bool else 0.0
        np.testing.assert_allclose(
            got[key], want, rtol=tolerance.relative, atol=tolerance.absolute * scale, err_msg=f"{key} {context}"
        )
    for key, value in inputs.items():
        np.testing.assert_array_equal(got[key], value, err_msg=f"input {key} {context}")


def assert_same_bits(one, other, context):
    """Compare arrays bit for bit."""
    for key, value in one.items():
        if isinstance(value, np.ndarray):
            assert value.tobytes() == other[key].tobytes(), f"{key} {context}"


def behind_a_line(array, offset, row_stride=None):
    """Return a copy that begins ``offset`` elements behind a line of 64 bytes, rows so many elements apart."""
    rows, columns = array.shape
    stride = columns if row_stride is None else max(columns, row_stride)
    memory = np.empty(rows * stride * array.itemsize + 128, np.uint8)
    begin = -memory.ctypes.data % 64 + offset * array.itemsize
    elements = memory[begin : begin + rows * stride * array.itemsize].view(array.dtype)
    copy = elements.reshape(rows, stride)[:, :columns]
    copy[...] = array
    return copy
