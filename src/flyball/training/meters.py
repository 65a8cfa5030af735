"""Metrics of a run: read off what the loss computes anyway, or computed from the outputs its steps leave behind."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks
from flyball.backend import get_backend
from flyball.metrics import native_source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from flyball.losses import Loss
    from flyball.metrics import Metric

ROWS = 1 << 16
"""Rows that metrics take in at a time, so that what they make of them needs little memory."""


def key(name: str) -> str:
    """Return what a metric is called among the means of a run, whatever its user has called it."""
    return f"metric {name}"


class Meters:
    """The metrics of one run of training or evaluation, with sums of their own.

    Parameters
    ----------
    metrics, weighted_metrics : sequence of Metric
        Those that leave sample weights alone, and those that use them.
    loss : Loss
        What the run computes.
    output_shape : tuple of int
        The shape of one sample's output.
    weighted : bool
        Whether there are, or may be, sample weights.

    Raises
    ------
    ValueError
        If a metric cannot take such targets and outputs, or is more than one number.
    """

    def __init__(
        self,
        metrics: Sequence[Metric],
        weighted_metrics: Sequence[Metric],
        loss: Loss,
        output_shape: tuple[int, ...],
        *,
        weighted: bool,
    ) -> None:
        self._loss, self._output_shape = loss, output_shape
        self._native: dict[str, str] = {}
        self._recorded: dict[str, tuple[Metric, bool]] = {}
        for metric, uses_weights in [*((m, False) for m in metrics), *((m, True) for m in weighted_metrics)]:
            source = native_source(metric, loss)
            # A hit is no less one for its weight, but losses have been multiplied by theirs.
            if source is not None and not (weighted and (uses_weights or source == "data_loss")):
                self._native[metric.name] = source
            else:
                self._recorded[metric.name] = copy.deepcopy(metric), uses_weights
        self._spoilt: set[str] = set()
        if self._recorded:
            self._try()

    @property
    def recorded(self) -> bool:
        """Whether a metric asks for the outputs."""
        return bool(self._recorded)

    def reset(self) -> None:
        """Forget all samples."""
        self._spoilt.clear()
        for metric, _ in self._recorded.values():
            metric.reset_state()

    def update(self, targets: NDArray[Any], outputs: NDArray[Any], weights: NDArray[Any] | None) -> None:
        """Take in targets as the user gave them, and what the loss was computed of; weights (n,) or (n, positions)."""
        if weights is not None and weights.ndim > 1:
            weights = weights.reshape(len(weights), *self._output_shape[:-1])
        for begin in range(0, len(outputs) if self._recorded else 0, ROWS):
            rows = slice(begin, begin + ROWS)
            predictions = self._predictions(outputs[rows])
            for name, (metric, uses_weights) in self._recorded.items():
                factors = weights[rows] if uses_weights and weights is not None else None
                try:
                    metric.update_state(targets[rows], predictions, factors)
                except ValueError:
                    if np.isfinite(predictions).all():
                        raise
                    self._spoilt.add(name)  # a training that diverges is to end with the word where it did

    def report(self, means: Mapping[str, float]) -> dict[str, float]:
        """Return all metrics under :func:`key` of their names, from the loss's means and the samples taken in.

        Those that cannot take outputs that are not finite, and were given some, are nan.
        """
        found = {key(name): means[source] for name, source in self._native.items()}
        for name, (metric, _) in self._recorded.items():
            found[key(name)] = math.nan if name in self._spoilt else _number(name, metric.result())
        return found

    def _predictions(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Return the model's outputs: a last activation that is computed within the loss is made up for."""
        fused, matrix = self._loss.objective.fused, outputs.reshape(-1, self._output_shape[-1])
        if fused != "linear" and not self._loss.from_logits:
            result = np.empty_like(matrix)
            if fused == "softmax":
                get_backend().softmax_forward(result, matrix)
            else:
                get_backend().activation_forward(result, matrix, fused, 0.0)
            matrix = result
        return matrix.reshape(len(outputs), *self._output_shape)

    def _try(self) -> None:
        """Let each metric take in two samples, so that what cannot be is found before the first step."""
        targets = self._loss.sample_targets(2, self._output_shape, np.float64)
        outputs = np.full((2, *self._output_shape), 1.0 / max(1, int(np.prod(self._output_shape))))
        for name, (metric, _) in self._recorded.items():
            try:
                metric.update_state(targets, outputs)
                _number(name, metric.result())
            except ValueError as error:
                msg = f"metric {name!r} does not suit the model: {error}"
                raise ValueError(msg) from error
            metric.reset_state()


def _number(name: str, value: Any) -> float:
    if np.size(value) != 1:
        _checks.refuse(name, "one number, for which a metric of several classes takes an average", value)
    return float(np.asarray(value).reshape(()))
