"""The one list of operations, and the switch between its two implementations.

``flyball._core`` (native) and ``flyball.reference`` (NumPy, the specification) both implement :class:`Backend`.
Every layer above and below uses the same names. Arrays are C-contiguous, of one float dtype ``T`` (float32 or
float64) unless said otherwise; outputs come first, then inputs, then scalars. An implementation checks memory
facts (dtype, shape, contiguity) and writes into the outputs it is given; meaning is checked by the callers.

``N`` is the number of rows (samples), ``C`` the number of columns (channels, units or classes). ``None`` stands for
an optional array that is absent.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Doubles = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    Integers = NDArray[np.int64]

ACTIVATIONS = ("linear", "relu")
"""Activations that operations can fuse."""


@runtime_checkable
class Backend(Protocol):
    """Operations on arrays; see the module's docstring for the conventions."""

    name: str

    # --- dense -----------------------------------------------------------------------------------------------

    def matmul(
        self,
        c: Floats,
        a: Floats,
        b: Floats,
        bias: Floats | None,
        transpose_a: bool,
        transpose_b: bool,
        activation: str,
    ) -> None:
        """``c = activation(op(a) @ op(b) + bias)``; ``op`` transposes on request.

        Shapes: ``op(a)`` (M, K), ``op(b)`` (K, N), ``c`` (M, N), ``bias`` (N,). Each element of ``c`` is one chain of
        multiply-adds in the order of K, whatever the number of threads.
        """
        ...

    def dense_forward(self, y: Floats, x: Floats, w: Floats, b: Floats | None, activation: str) -> None:
        """``y = activation(x @ w + b)``; ``x`` (N, K), ``w`` (K, C), ``b`` (C,), ``y`` (N, C)."""
        ...

    def dense_backward(
        self, dx: Floats | None, dw: Floats | None, db: Floats | None, dy: Floats, x: Floats, w: Floats
    ) -> None:
        """``dx = dy @ w.T``, ``dw = x.T @ dy``, ``db = sum(dy, axis=0)``; an output that is None is not computed."""
        ...

    # --- batch normalisation ---------------------------------------------------------------------------------

    def batch_norm_forward(
        self,
        y: Floats,
        mean: Doubles,
        rstd: Doubles,
        running_mean: Floats | None,
        running_var: Floats | None,
        x: Floats,
        gamma: Floats | None,
        beta: Floats | None,
        mask: Bools | None,
        momentum: float,
        epsilon: float,
        unbiased: bool,
        activation: str,
        rate: float,
    ) -> None:
        """Batch normalisation in training, with activation and dropout in the same pass.

        ``mean = mean(x, axis=0)``, ``var = mean((x - mean)**2, axis=0)``, ``rstd = 1 / sqrt(var + epsilon)``,
        ``z = gamma * (x - mean) * rstd + beta``, ``y = activation(z) * mask / keep`` (the last factor only where
        ``mask`` is given; ``keep`` is the exactly representable probability of :func:`keep_probability`).
        ``running = momentum * running + (1 - momentum) * batch``, with ``var * N / (N - 1)`` for the variance if
        ``unbiased``. ``x``, ``y``, ``mask`` (N, C), all others (C,); ``mean`` and ``rstd`` are float64 because a mean
        needs more digits than the values it is subtracted from. ``y`` may be ``x``. Ioffe and Szegedy 2015.
        """
        ...

    def batch_norm_backward(
        self,
        dx: Floats | None,
        dgamma: Floats | None,
        dbeta: Floats | None,
        dy: Floats,
        y: Floats,
        x: Floats,
        gamma: Floats | None,
        beta: Floats | None,
        mean: Doubles,
        rstd: Doubles,
        mask: Bools | None,
        activation: str,
        rate: float,
    ) -> None:
        """Gradients of :meth:`batch_norm_forward` given what it was given and what it returned.

        With ``xhat = (x - mean) * rstd`` and ``dz = dy * mask / keep * activation'(z)``: ``dgamma = sum(dz * xhat)``,
        ``dbeta = sum(dz)``, ``dx = gamma * rstd * (dz - dbeta / N - xhat * dgamma / N)``. ``y`` is read only where the
        activation is relu, where it says which units were active and kept. ``dx`` may be ``dy``.
        """
        ...

    def batch_norm_inference(
        self,
        y: Floats,
        x: Floats,
        gamma: Floats | None,
        beta: Floats | None,
        running_mean: Floats,
        running_var: Floats,
        epsilon: float,
        activation: str,
    ) -> None:
        """``y = activation(gamma * (x - running_mean) / sqrt(running_var + epsilon) + beta)``; ``y`` may be ``x``."""
        ...

    # --- dropout ---------------------------------------------------------------------------------------------

    def dropout_mask(self, mask: Bools, rate: float, seed: int, stream: int, step: int) -> None:
        """Draw ``mask``, any shape: True with probability ``keep``; a function of (seed, stream, step, element) only.

        The bits are those of :func:`flyball.reference.random.keep_bits`: 16 bits of Philox4x32-10 an element.
        """
        ...

    def dropout_forward(
        self,
        y: Floats,
        mask: Bools | None,
        x: Floats,
        rate: float,
        seed: int,
        stream: int,
        step: int,
        draw: bool,
    ) -> None:
        """Inverted dropout ``y = x * mask / keep``; arrays of one shape, any number of dimensions.

        With ``draw`` the mask is the one of :meth:`dropout_mask`, and is stored in ``mask`` unless that is None.
        Without, ``mask`` is read. ``y`` may be ``x``. Srivastava et al. 2014.
        """
        ...

    def dropout_backward(
        self, dx: Floats, dy: Floats, mask: Bools | None, rate: float, seed: int, stream: int, step: int
    ) -> None:
        """``dx = dy * mask / keep``; where ``mask`` is None it is drawn again from (seed, stream, step)."""
        ...

    # --- activations -----------------------------------------------------------------------------------------

    def relu_forward(self, y: Floats, x: Floats) -> None:
        """``y = max(x, 0)``; any shape; ``nan`` stays ``nan``; ``y`` may be ``x``."""
        ...

    def relu_backward(self, dx: Floats, dy: Floats, y: Floats) -> None:
        """``dx = dy where y > 0 else 0``; ``y`` is the output (or input) of relu; ``dx`` may be ``dy``."""
        ...

    def softmax_forward(self, y: Floats, x: Floats) -> None:
        """``y = exp(x - max(x)) / sum(exp(x - max(x)))`` over the rows of (N, C); ``y`` may be ``x``."""
        ...

    def softmax_backward(self, dx: Floats, dy: Floats, y: Floats) -> None:
        """``dx = y * (dy - sum(dy * y))`` over the rows of (N, C); ``y`` is the output; ``dx`` may be ``dy``."""
        ...

    # --- losses ----------------------------------------------------------------------------------------------

    def softmax_cross_entropy(
        self,
        losses: Doubles,
        hits: Doubles | None,
        dlogits: Floats | None,
        logits: Floats,
        labels: Integers,
        scale: float,
    ) -> None:
        """``losses = logsumexp(logits) - logits[label]``, ``dlogits = (softmax(logits) - onehot(label)) * scale``.

        ``logits`` (N, C), ``labels`` (N,) int64 in [0, C), ``losses`` (N,) float64; ``hits`` (N,) is 1 where the first
        largest logit is the label's, else 0. Labels out of range are refused. ``dlogits`` may be ``logits``.
        """
        ...

    def softmax_cross_entropy_soft(
        self,
        losses: Doubles,
        hits: Doubles | None,
        dlogits: Floats | None,
        logits: Floats,
        targets: Floats,
        scale: float,
    ) -> None:
        """The same for a distribution ``targets`` (N, C) a row (one-hot or soft).

        ``losses = sum(targets * (logsumexp(logits) - logits))``,
        ``dlogits = (softmax(logits) * sum(targets) - targets) * scale``; a hit is where the argmaxes agree.
        """
        ...

    def mean_squared_error(
        self,
        losses: Doubles,
        dpredictions: Floats | None,
        predictions: Floats,
        targets: Floats,
        scale: float,
    ) -> None:
        """``losses = mean((p - t)**2, axis=1)``, ``dpredictions = 2 * (p - t) / C * scale``; ``p``, ``t`` (N, C)."""
        ...

    # --- updates ---------------------------------------------------------------------------------------------

    def sgd_update(
        self,
        w: Floats,
        velocity: Floats | None,
        penalty: Doubles | None,
        g: Floats,
        learning_rate: float,
        momentum: float,
        nesterov: bool,
        l1: float,
        l2: float,
        weight_decay: float,
    ) -> None:
        """One step of stochastic gradient descent over a flat array, with penalties, in one pass.

        ``g' = g + l1 * sign(w) + l2 * w``; ``velocity = momentum * velocity - learning_rate * g'``;
        ``w = w * (1 - learning_rate * weight_decay) + velocity`` (with nesterov: ``+ momentum * velocity -
        learning_rate * g'``; without ``velocity``: ``- learning_rate * g'``). ``penalty[0]`` (shape (1,)), where
        given, is increased by ``sum(l1 * |w| + l2 / 2 * w**2)`` of the weights before the step.
        """
        ...

    def adam_update(
        self,
        w: Floats,
        m: Floats,
        v: Floats,
        penalty: Doubles | None,
        g: Floats,
        learning_rate: float,
        beta_1: float,
        beta_2: float,
        epsilon: float,
        step: int,
        l1: float,
        l2: float,
        weight_decay: float,
    ) -> None:
        """One step of Adam over a flat array, with penalties, in one pass; ``step`` counts from 1.

        ``g' = g + l1 * sign(w) + l2 * w``; ``m += (1 - beta_1) * (g' - m)``; ``v += (1 - beta_2) * (g'**2 - v)``;
        ``a = learning_rate * sqrt(1 - beta_2**step) / (1 - beta_1**step)``;
        ``w = w * (1 - learning_rate * weight_decay) - a * m / (sqrt(v) + epsilon)``. ``penalty`` as in
        :meth:`sgd_update`. Kingma and Ba 2015, in the form of its section 2's end, as Keras has it.
        """
        ...

    # --- data ------------------------------------------------------------------------------------------------

    def gather(self, out: Floats, x: NDArray[Any], rows: Integers) -> None:
        """``out[i] = x[rows[i]]`` with conversion; ``x`` (n, C) of any float or integer dtype, ``rows`` (N,) int64."""
        ...

    def gather_labels(self, out: Integers, labels: Integers, rows: Integers) -> None:
        """``out[i] = labels[rows[i]]``; ``labels`` (n,), ``out`` and ``rows`` (N,), all int64."""
        ...

    def add_total(self, total: Doubles, values: Doubles) -> None:
        """``total[0] += sum(values)``, added in order; ``total`` (1,), ``values`` (N,)."""
        ...


def keep_probability(rate: float) -> float:
    """Probability, a multiple of 2**-16 in (0, 1], with which dropout at ``rate`` in [0, 1) keeps an element.

    16 random bits decide an element, so only such probabilities can be met exactly; the scale ``1 / keep`` uses the
    one that is met.
    """
    return max(1, round((1.0 - rate) * 65536.0)) / 65536.0


_active: Backend | None = None


def _load(name: str) -> Backend:
    if name == "native":
        from flyball import _core

        return _core
    if name == "reference":
        from flyball import reference

        return reference
    msg = f"backend must be 'native' or 'reference', got {name!r}"
    raise ValueError(msg)


def get_backend() -> Backend:
    """Return the backend in use: the last one chosen, else ``FLYBALL_BACKEND``, else native."""
    global _active
    if _active is None:
        _active = _load(os.environ.get("FLYBALL_BACKEND", "native"))
    return _active


def use_backend(name: str) -> None:
    """Run everything from here on on the backend ``name``: ``"native"`` or ``"reference"`` (NumPy).

    Raises
    ------
    ValueError
        If ``name`` is neither.
    """
    global _active
    _active = _load(name)


@contextmanager
def backend_scope(name: str) -> Iterator[Backend]:
    """Use the backend ``name`` inside a ``with`` block."""
    global _active
    previous, _active = _active, _load(name)
    try:
        yield _active
    finally:
        _active = previous
