"""Memory checks, with the messages of ``csrc/bind/arrays.cpp`` word for word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from flyball.backend import ACTIVATIONS, LOSSES, ROW_LOSSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)
INT64 = np.dtype(np.int64)
BOOL = np.dtype(np.bool_)
UINT8 = np.dtype(np.uint8)


def float_dtype(name: str, array: Array) -> np.dtype[Any]:
    """Return float32 or float64, whichever ``array`` is; refuse anything else."""
    dtype = array.dtype
    if dtype.kind == "f" and dtype.itemsize in (4, 8):
        return FLOAT32 if dtype.itemsize == 4 else FLOAT64
    msg = f"{name} must be float32 or float64, got {dtype}"
    raise TypeError(msg)


def need_ndim(name: str, array: Array, low: int, high: int | None = None) -> None:
    """Refuse ``array`` unless it has ``low`` dimensions, or ``low`` to ``high``."""
    if not low <= array.ndim <= (low if high is None else high):
        wanted = low if high is None else f"{low} to {high}"
        msg = f"{name} must have {wanted} dimensions, got shape {array.shape}"
        raise ValueError(msg)


def need(name: str, array: Array | None, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    """Refuse an input unless it is None or an aligned, C-contiguous array of ``dtype`` and ``shape``."""
    if array is None:
        return
    flags = array.flags
    if array.dtype == dtype and array.shape == shape and flags.c_contiguous and flags.aligned:
        return
    layout = "" if flags.c_contiguous else "non-contiguous "
    got = f"{layout}{array.dtype} of shape {array.shape}"
    msg = f"{name} must be a C-contiguous {dtype} array of shape {shape}, got {got}"
    raise ValueError(msg)


def need_matrix(name: str, array: Array, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    """Refuse an input unless it is an aligned array of ``dtype`` and ``shape``, with any strides."""
    aligned = array.flags.aligned
    if array.dtype == dtype and array.shape == shape and aligned:
        return
    layout = "" if aligned else "unaligned "
    got = f"{layout}{array.dtype} of shape {array.shape}"
    msg = f"{name} must be an aligned {dtype} array of shape {shape}, got {got}"
    raise ValueError(msg)


def need_apart(name: str, array: Array, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    """Like :func:`need`, but the rows of a matrix may lie any distance apart."""
    if len(shape) != 2:
        need(name, array, dtype, shape)
        return
    if array.dtype == dtype and array.shape == shape and array.flags.aligned:
        stride, width = array.strides[0], array.shape[1] * array.itemsize
        apart = len(array) <= 1 or (stride >= width and stride % array.itemsize == 0)
        if array.size == 0 or (_has_consecutive_rows(array) and apart):
            return
    msg = (
        f"{name} must be a {dtype} array of shape {shape} whose rows are consecutive, aligned and apart, "
        f"got {array.dtype} of shape {array.shape} with strides {array.strides}"
    )
    raise ValueError(msg)


def need_out_apart(name: str, array: Array | None, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    """Like :func:`need_apart`, for an array that is written to."""
    if array is None:
        return
    need_apart(name, array, dtype, shape)
    need_writeable(name, array)


def need_out(name: str, array: Array | None, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    """Like :func:`need`, for an array that is written to."""
    need(name, array, dtype, shape)
    if array is not None:
        need_writeable(name, array)


def need_writeable(name: str, array: Array) -> None:
    """Refuse an array that must not be written to."""
    if not array.flags.writeable:
        msg = f"{name} must be writeable, got a read-only array"
        raise ValueError(msg)


def refuse_overlap(outputs: dict[str, Array | None], inputs: dict[str, Array | None], in_place: bool = False) -> None:
    """Refuse an output that shares memory with another output or with an input.

    With ``in_place`` the first output may be exactly the first input.
    """
    for index, (name, out) in enumerate(outputs.items()):
        if out is None:
            continue
        for other_name, other in list(outputs.items())[index + 1 :]:
            if other is not None and np.may_share_memory(out, other):
                overlap(name, other_name)
        may_be = in_place and index == 0
        for other_name, other in inputs.items():
            if other is not None and np.may_share_memory(out, other) and not (may_be and same_memory(out, other)):
                overlap(name, other_name)
            may_be = False


def same_memory(a: Array, b: Array) -> bool:
    """Whether two arrays are the same bytes; of two, both must be contiguous."""
    if a is b:
        return True
    same = a.nbytes == b.nbytes and a.__array_interface__["data"][0] == b.__array_interface__["data"][0]
    return same and a.flags.c_contiguous and b.flags.c_contiguous


def overlap(name: str, other_name: str) -> NoReturn:
    """Raise the error of an output that overlaps another array."""
    msg = f"{name} must not overlap {other_name}"
    raise ValueError(msg)


def need_indices(name: str, place: str, values: Array, limit: int) -> None:
    """Refuse an array of indices with one outside [0, limit)."""
    outside = (values < 0) | (values >= limit)
    if outside.any():
        first = int(outside.argmax())
        msg = f"{name} must be in [0, {limit}), got {values[first]} at {place} {first}"
        raise ValueError(msg)


def need_extent(name: str, value: int, bits: int = 20) -> None:
    """Refuse an extent that no array has, or whose products with others could overflow."""
    if not 1 <= value <= 1 << bits:
        msg = f"{name} must be in [1, 2**{bits}], got {value}"
        raise ValueError(msg)


def need_multiple(name: str, value: int, least: int) -> None:
    """Refuse a place in a mask that does not begin with a group of 64 decisions, which are drawn together."""
    if value % 64 != 0 or value < least:
        msg = f"{name} must be a multiple of 64 of at least {least}, got {value}"
        raise ValueError(msg)


def _has_consecutive_rows(array: Array) -> bool:
    """Whether the elements of each row of a matrix are consecutive."""
    return array.shape[1] <= 1 or array.strides[1] == array.itemsize


def need_rows(name: str, array: Array) -> None:
    """Refuse a matrix of numbers unless each row is consecutive and aligned; rows may be any distance apart."""
    dtype = array.dtype
    known = dtype.kind in "biu" or (dtype.kind == "f" and dtype.itemsize in (4, 8))
    aligned = array.flags.aligned and array.strides[0] % array.itemsize == 0
    if known and dtype.isnative and (array.size == 0 or (_has_consecutive_rows(array) and aligned)):
        return
    msg = (
        f"{name} must have rows of consecutive, aligned elements of an integer or float dtype "
        f"(float32, float64, 8 to 64 bits, bool), got {dtype} with strides {array.strides}"
    )
    raise ValueError(msg)


def need_activation(activation: str) -> None:
    """Refuse what is no activation."""
    if activation not in ACTIVATIONS:
        msg = f"activation must be one of {', '.join(ACTIVATIONS)}, got '{activation}'"
        raise ValueError(msg)


def need_loss(loss: str) -> None:
    """Refuse what is no loss of ``pointwise_loss``."""
    if loss not in LOSSES:
        msg = f"loss must be one of {', '.join(LOSSES)}, got '{loss}'"
        raise ValueError(msg)


def need_row_loss(loss: str) -> None:
    """Refuse what is no loss of ``row_loss``."""
    if loss not in ROW_LOSSES:
        msg = f"loss must be one of {', '.join(ROW_LOSSES)}, got '{loss}'"
        raise ValueError(msg)


def need_for_derivative(activation: str, x: Array | None, y: Array | None) -> None:
    """Refuse to do without the input or the output of an activation where its derivative is computed from it."""
    source = ACTIVATIONS[activation]
    if (source == "x" and x is None) or (source == "y" and y is None):
        msg = f"{source} must be given for the derivative of {activation}, got None"
        raise ValueError(msg)


def need_rectifier(activation: str) -> None:
    """Refuse an activation that normalisation does not include."""
    if activation not in ("linear", "relu"):
        msg = f"activation must be 'linear' or 'relu', got '{activation}'"
        raise ValueError(msg)
