"""What the layers of a model put out on a batch: numbers, histograms, and what is wrong with them, in words."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from flyball.layers import Layer
    from flyball.models import Sequential

BOUNDS = {"sigmoid": (0.0, 1.0), "hard_sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "softsign": (-1.0, 1.0)}
"""Activations with a floor and a ceiling, where the gradient is close to zero."""
MARGIN = 0.01
"""Share of the way from floor to ceiling within which a value counts as saturated."""
FALL = 10.0
"""How many times the signal has to fall, or rise, from the first hidden layer to the last, to be warned about."""
MANY_SATURATED = 0.5
MANY_DEAD = 0.25


@dataclass(frozen=True, eq=False)
class LayerActivations:
    """What one layer put out.

    Attributes
    ----------
    name : str
        The layer's.
    activation : str
        The activation it ends in; ``"linear"`` where there is none.
    units : int
        Size of its last axis.
    mean, std, min, max : float
        Of all values.
    signal : float
        Root mean square, over the units, of their standard deviation over the samples: how much of the differences
        between the samples is left. Units that differ from each other but not from sample to sample have ``std`` and
        no ``signal``.
    zeros : float
        Share of values that are 0.
    saturated : float
        Share of values within a hundredth of floor or ceiling of a bounded activation; 0 for all others.
    dead : array of int
        Units that are 0 on every sample.
    copies : array of int
        Units whose outputs, and weights to both sides, are those of a unit before them.
    counts, edges : arrays (bins,), (bins + 1,)
        Histogram of the finite values.
    """

    name: str
    activation: str
    units: int
    mean: float
    std: float
    min: float
    max: float
    signal: float
    zeros: float
    saturated: float
    dead: NDArray[np.int64]
    copies: NDArray[np.int64]
    counts: NDArray[np.int64]
    edges: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ActivationStatistics:
    """One row a layer, and what is wrong; print it.

    Attributes
    ----------
    rows : list of LayerActivations
        In the order of the layers.
    warnings : list of str
        In words; empty where nothing was found.
    samples : int
        How many there were.
    """

    rows: list[LayerActivations]
    warnings: list[str]
    samples: int

    def __iter__(self) -> Iterator[LayerActivations]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, layer: int | str) -> LayerActivations:
        """Return the row of a layer, by its number or its name."""
        if isinstance(layer, str):
            names = [row.name for row in self.rows]
            return self.rows[names.index(_checks.choice("layer", layer, names))]
        return self.rows[layer]

    def __str__(self) -> str:
        titles = ("layer", "activation", "units", "mean", "std", "min", "max", "signal", "zeros", "saturated", "dead")
        lines: list[tuple[str, ...]] = [titles]
        lines += [
            (
                row.name,
                row.activation,
                str(row.units),
                *(f"{value:.3g}" for value in (row.mean, row.std, row.min, row.max, row.signal)),
                *(f"{100 * share:.0f} %" for share in (row.zeros, row.saturated)),
                str(len(row.dead)),
            )
            for row in self.rows
        ]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = [
            "  ".join(
                cell.ljust(width) if i < 2 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in lines
        ]
        text.insert(1, "─" * len(text[0]))
        return "\n".join([f"{self.samples} samples", *text, *(f"! {warning}" for warning in self.warnings)])

    __repr__ = __str__


def activation_statistics(model: Sequential, x: Any, *, training: bool = False, bins: int = 40) -> ActivationStatistics:
    """Return what each layer of ``model`` puts out for ``x``, with warnings where the signal does not get through.

    Parameters
    ----------
    model : Sequential
        Built or not; it is left as it is. The statistics of its first weights tell whether the initializer fits.
    x : array (samples, ...)
        As for ``predict``; taken as one batch, whose outputs of all layers are held at once.
    training : bool
        Whether batch normalisation takes the batch's statistics, and dropout and noise act, as in training. Running
        statistics stay as they are.
    bins : int
        Of the histograms.

    Returns
    -------
    ActivationStatistics
        Print it. It warns of vanishing and exploding signals, saturated and dead units, units that are copies of each
        other, and values that are not finite.

    Raises
    ------
    ValueError, TypeError
        If ``x`` does not fit the model, or an argument is not as described.

    Examples
    --------
    >>> print(flyball.inspect.activation_statistics(model, x))  # doctest: +SKIP
    """
    bins = _checks.integer("bins", bins, 1)
    outputs = model.activations(x, training=training)
    layers = model.layers
    rows = [_row(layer, outputs[layer.name], bins, layers[i + 1 :]) for i, layer in enumerate(layers)]
    return ActivationStatistics(rows, _warnings(rows), len(next(iter(outputs.values()))))


def _row(layer: Layer, output: NDArray[Any], bins: int, following: list[Layer]) -> LayerActivations:
    output = output.astype(np.float64)
    values = output.reshape(-1, output.shape[-1])
    activation = _activation(layer)
    saturated = 0.0
    if activation in BOUNDS:
        low, high = BOUNDS[activation]
        edge = MARGIN * (high - low)
        saturated = float(np.mean((values < low + edge) | (values > high - edge)))
    counts, edges = np.histogram(values[np.isfinite(values)], bins)
    with np.errstate(invalid="ignore"):  # values that are not finite are said to be so
        return LayerActivations(
            name=layer.name,
            activation=activation,
            units=values.shape[1],
            mean=float(values.mean()),
            std=float(values.std()),
            min=float(values.min()),
            max=float(values.max()),
            signal=float(np.sqrt(output.var(axis=0).mean())),
            zeros=float(np.mean(values == 0.0)),
            saturated=saturated,
            dead=np.flatnonzero(~values.any(axis=0)),
            copies=_copies(layer, values, following),
            counts=counts,
            edges=edges,
        )


def _activation(layer: Layer) -> str:
    """Return the activation a layer ends in."""
    nodes = layer.lower()
    return str(getattr(nodes[-1], "activation", "linear")) if nodes else "linear"


def _copies(layer: Layer, values: NDArray[np.float64], following: list[Layer]) -> NDArray[np.int64]:
    """Return the units with the outputs, the incoming weights and the outgoing weights of one before them.

    An output layer has none: its units get gradients of their own from the targets.
    """
    units = values.shape[1]
    columns: list[NDArray[Any]] = [
        w.value.reshape(-1, units) for w in layer.weights if len(w.shape) > 1 and w.shape[-1] == units
    ]
    if not columns:
        return np.empty(0, np.int64)
    columns += [w.value.reshape(1, -1) for w in layer.weights if w.shape == (units,)]
    for after in following:
        if outgoing := [w.value for w in after.weights if len(w.shape) > 1]:
            # Behind a Flatten a unit has weights of its own from each position.
            rows = {units, prod(layer.output_shape or ())}
            columns += [w.reshape(len(w) // units, units, -1).swapaxes(1, 2) for w in outgoing if len(w) in rows]
            break
        columns += [w.value.reshape(1, -1) for w in after.weights if w.shape == (units,)]
    else:
        return np.empty(0, np.int64)
    traits = np.concatenate([*(part.reshape(-1, units) for part in columns), values])
    _, first = np.unique(traits, axis=1, return_index=True)
    return np.setdiff1d(np.arange(units), first)


def _warnings(rows: list[LayerActivations]) -> list[str]:
    found = []
    for row in rows:
        if not np.isfinite([row.min, row.max]).all():
            found.append(f"not finite: {row.name} and what follows it put out nan or inf")
            break
    hidden = rows[:-1]
    found += _through([row for row in hidden if row.activation != "linear"])
    if saturated := [row for row in rows if row.saturated > MANY_SATURATED]:
        most = max(row.saturated for row in saturated)
        found.append(
            f"saturated: up to {100 * most:.0f} % of the values are at the ends of {saturated[0].activation}, where "
            f"its gradient is close to 0, in {_names(saturated)}; smaller first weights or batch normalisation help"
        )
    if dead := [row for row in hidden if len(row.dead) > MANY_DEAD * row.units]:
        most = max(len(row.dead) / row.units for row in dead)
        found.append(
            f"dead: up to {100 * most:.0f} % of the units are 0 on every sample, in {_names(dead)}; behind a ReLU "
            "their weights get no gradient any more: a smaller learning rate, or a leaky activation, keeps units alive"
        )
    if copies := [row for row in hidden if len(row.copies)]:
        found.append(
            f"symmetric: units have the weights and outputs of another one, in {_names(copies)}; they get the same "
            "gradients and stay the same: start from random weights"
        )
    return found


def _through(hidden: list[LayerActivations]) -> list[str]:
    """Warn where the signal falls, or rises, from each hidden layer to the next, and much in all."""
    signals = np.array([row.signal for row in hidden])
    if len(signals) < 3 or not np.isfinite(signals).all() or signals[0] == 0.0:
        return []
    change = f"from {signals[0]:.2g} in {hidden[0].name} to {signals[-1]:.2g} in {hidden[-1].name}"
    if (np.diff(signals) <= 0.0).all() and signals[-1] * FALL <= signals[0]:
        fitting = "he_normal" if hidden[-1].activation not in BOUNDS else "glorot_uniform"
        warning = (
            f"vanishing: what differs between samples falls layer by layer, {change}, and the gradients of the first "
            f"layers with it; kernel_initializer={fitting!r} or batch normalisation keep it"
        )
    elif (np.diff(signals) >= 0.0).all() and signals[-1] >= FALL * signals[0]:
        warning = (
            f"exploding: what differs between samples grows layer by layer, {change}; smaller first weights or batch "
            "normalisation keep it"
        )
    else:
        return []
    return [warning]


def _names(rows: list[LayerActivations]) -> str:
    names = [row.name for row in rows]
    return ", ".join(names) if len(names) < 4 else f"{names[0]}, {names[1]} and {len(names) - 2} more layers"
