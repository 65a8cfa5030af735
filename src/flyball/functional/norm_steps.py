"""Batch normalisation in steps, so that several processes or batches share their statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from flyball.backend import get_backend
from flyball.functional._channels import Layout, layout_of
from flyball.functional._checks import (
    floats,
    native_float,
    plain,
    positive,
    share,
    typed,
    whole,
    written,
    wrong_shape,
)
from flyball.functional.norm import dropout_rate
from flyball.reference._arrays import BOOL, FLOAT64, INT64, need_rectifier

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flyball.backend.types import Bools, Doubles, Floats


class Moments(NamedTuple):
    """``n`` values of each channel: their mean and sum of squared deviations from it, float64 (C,)."""

    n: int
    mean: Doubles
    m2: Doubles


class BatchNormSums(NamedTuple):
    """What :func:`batch_norm_backward_sums` returns: sums over ``n`` values of each channel. Those of parts add up."""

    n: int
    sum_dz: Doubles
    sum_dz_xhat: Doubles


class PopulationStatistics(NamedTuple):
    """Mean and variance of each channel over a whole data set, float64."""

    mean: Doubles
    var: Doubles


def batch_norm_moments(x: Floats, *, axis: int = -1) -> Moments:
    """Moments of each channel: the first step of :func:`batch_norm_forward`.

    Batch normalisation over several processes: each calls this on its part of the batch, all exchange the results and
    call :func:`combine_moments`, :func:`batch_norm_statistics` and :func:`batch_norm_apply`. On one part alone the
    steps give the bits of :func:`batch_norm_forward`.

    Parameters
    ----------
    x : array of float32 or float64, shape (N, C) or any other with at least 2 dimensions, batch first
        Input. Copied once if its layout asks for it.
    axis : int
        The channels' axis, as in :func:`batch_norm_forward`.

    Returns
    -------
    Moments
        Named tuple of ``n``, ``mean`` (C,) and ``m2 = sum((x - mean)**2)`` (C,).

    Raises
    ------
    TypeError
        If ``x`` has another dtype, or is no array.
    ValueError
        If ``x`` is empty or ``axis`` is not one of its axes beside the first.
    """
    x = floats("x", x)
    layout = layout_of(x, axis, True)
    mean, m2 = np.empty(layout.channels), np.empty(layout.channels)
    get_backend().batch_norm_moments(mean, m2, layout.packed(x))
    return Moments(x.size // layout.channels, mean, m2)


def combine_moments(parts: Iterable[tuple[int, Doubles, Doubles]]) -> Moments:
    """Moments of all values from those of parts: of a batch in several processes, or of a data set in batches.

    Part after part: ``delta = mean_p - mean``, ``mean += delta * n_p / n``,
    ``m2 += m2_p + delta**2 * (n - n_p) * n_p / n``, with n the values so far, these included.

    Parameters
    ----------
    parts : iterable of Moments, or of tuples (n, mean, m2)
        At least one, each with an ``n`` of 0 or more and arrays of float64, shape (C,).

    Returns
    -------
    Moments
        Named tuple of ``n``, ``mean`` and ``m2``.

    Raises
    ------
    TypeError
        If an array is not of float64, or a count no integer.
    ValueError
        If there are no parts or shapes differ.

    References
    ----------
    Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
    """
    counts: list[int] = []
    means: list[Doubles] = []
    m2s: list[Doubles] = []
    for number, (n, mean, m2) in enumerate(parts):
        counts.append(whole(f"n of part {number}", n, 0, 63))
        means.append(vector(f"mean of part {number}", mean, means))
        m2s.append(vector(f"m2 of part {number}", m2, means))
    if not counts:
        msg = "parts must not be empty, got none"
        raise ValueError(msg)
    mean, m2 = np.empty_like(means[0]), np.empty_like(means[0])
    get_backend().combine_moments(mean, m2, np.stack(means), np.stack(m2s), np.array(counts, INT64))
    return Moments(sum(counts), mean, m2)


def population_statistics(
    parts: Iterable[tuple[int, Doubles, Doubles]], *, average_of_batches: bool = False
) -> PopulationStatistics:
    """Mean and variance of a whole data set for inference, from the moments of its batches.

    ``mean`` and ``var = m2 / n`` of all values together. With ``average_of_batches``, as in the paper, the average over
    the batches: ``mean = E_B[mean_B]``, ``var = E_B[m / (m - 1) * var_B]``, m values of a channel in a batch.

    Parameters
    ----------
    parts : iterable of Moments, or of tuples (n, mean, m2)
        What :func:`batch_norm_moments` returned for each batch.
    average_of_batches : bool
        Whether to average over the batches; each then has at least 2 values a channel.

    Returns
    -------
    PopulationStatistics
        Named tuple of ``mean`` and ``var`` (C,).

    Raises
    ------
    TypeError
        If an array is not of float64, or a count no integer.
    ValueError
        If there are no parts, no values, too few for an average, or shapes differ.

    References
    ----------
    Ioffe and Szegedy, "Batch normalization", 2015, algorithm 2.
    """
    batches = list(parts)
    total = combine_moments(batches)
    least = min(count for count, _, _ in batches) if average_of_batches else total.n
    if least < 1 + average_of_batches:
        wanted = "2 values a channel in every part" if average_of_batches else "1 value a channel"
        msg = f"parts must have at least {wanted}, got {least}"
        raise ValueError(msg)
    if not average_of_batches:
        return PopulationStatistics(total.mean, total.m2 / total.n)
    means = np.stack([mean for _, mean, _ in batches])
    variances = np.stack([m2 / (count - 1) for count, _, m2 in batches])
    return PopulationStatistics(means.mean(axis=0), variances.mean(axis=0))


def batch_norm_statistics(
    moments: tuple[int, Doubles, Doubles],
    *,
    running_mean: Floats | None = None,
    running_var: Floats | None = None,
    momentum: float = 0.9,
    epsilon: float = 1e-5,
    unbiased: bool = False,
) -> Doubles:
    """``rstd = 1 / sqrt(m2 / n + epsilon)``, and the running statistics: the second step of the forward pass.

    Parameters
    ----------
    moments : Moments, or a tuple (n, mean, m2)
        Of all values that share statistics; ``n`` is at least 2.
    running_mean, running_var : arrays of float32 or float64, shape (C,), optional
        Running statistics, of one dtype, updated in place; never copied.
    momentum, epsilon, unbiased
        As in :func:`batch_norm_forward`.

    Returns
    -------
    rstd : array of float64, shape (C,)

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If a shape does not fit, or an argument is outside what is said above.
    """
    n, mean, m2 = moments
    count = whole("n", n, 2, 63)
    mean = vector("mean", mean, [])
    m2 = vector("m2", m2, [mean])
    momentum = share("momentum", momentum)
    epsilon = positive("epsilon", epsilon)
    given = running_mean if running_mean is not None else running_var
    if given is not None:
        name = "running_mean" if running_mean is not None else "running_var"
        dtype = native_float(name, plain(name, given))
        for name, array in (("running_mean", running_mean), ("running_var", running_var)):
            if array is not None:
                written(name, array, dtype, mean.shape)
    rstd = np.empty_like(mean)
    get_backend().batch_norm_statistics(
        rstd, running_mean, running_var, mean, m2, count, momentum, epsilon, bool(unbiased)
    )
    return rstd


def batch_norm_apply(
    x: Floats,
    mean: Doubles,
    rstd: Doubles,
    gamma: Floats | None = None,
    beta: Floats | None = None,
    *,
    axis: int = -1,
    activation: str = "linear",
    mask: Bools | None = None,
    rate: float = 0.0,
    out: Floats | None = None,
) -> Floats:
    """``y = activation(gamma * (x - mean) * rstd + beta) * mask / keep``: the third step of the forward pass.

    Parameters
    ----------
    x : array of float32 or float64, shape (N, C) or any other with at least 2 dimensions, batch first
        Input. Copied once if its layout asks for it, as are other inputs.
    mean, rstd : arrays of float64, shape (C,)
        From :func:`combine_moments` and :func:`batch_norm_statistics`.
    gamma, beta : arrays like x, shape (C,), optional
        Scale and offset; 1 and 0 where absent.
    axis, activation, mask, rate
        As in :func:`batch_norm_forward`.
    out : array like x, optional
        Receives ``y``; may be ``x``. It is never copied.

    Returns
    -------
    y : array like x
        ``out`` if that was given.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If ``x`` is empty, a shape does not fit, or an argument is outside what is said above.
    """
    x = floats("x", x)
    dtype = x.dtype
    layout = layout_of(x, axis, True)
    gamma = None if gamma is None else typed("gamma", gamma, dtype, "x")
    beta = None if beta is None else typed("beta", beta, dtype, "x")
    mean = typed("mean", mean, FLOAT64)
    rstd = typed("rstd", rstd, FLOAT64)
    mask = None if mask is None else typed("mask", mask, BOOL)
    need_rectifier(activation)
    rate = dropout_rate(rate, mask)
    packed_mask = None if mask is None else layout.checked("mask", mask)
    arrays = (x, gamma, beta, mean, rstd)
    y, target = layout.result(out, "x gamma beta mean rstd mask", *arrays, mask)
    get_backend().batch_norm_apply(target, layout.packed(x), *arrays[1:], packed_mask, activation, rate)
    layout.restore(y, target)
    return y


def batch_norm_backward_sums(
    dy: Floats,
    x: Floats,
    mean: Doubles,
    rstd: Doubles,
    gamma: Floats | None = None,
    beta: Floats | None = None,
    *,
    axis: int = -1,
    activation: str = "linear",
    mask: Bools | None = None,
    rate: float = 0.0,
) -> BatchNormSums:
    """``sum(dz)`` and ``sum(dz * xhat)`` of each channel: the first step of :func:`batch_norm_backward`.

    They are the gradients with respect to beta and gamma. Those of several parts of a batch are added, and
    :func:`batch_norm_backward_apply` takes the totals.

    Parameters
    ----------
    dy : array of float32 or float64, shape of x
        Gradient with respect to ``y``. Inputs are copied once if their layout asks for it.
    x : array like dy
        This part's input.
    mean, rstd : arrays of float64, shape (C,)
        Statistics of all parts.
    gamma, beta : arrays like dy, shape (C,), optional
        Scale and offset of the forward pass; with relu both say which units were active.
    axis, activation, mask, rate
        Those of the forward pass.

    Returns
    -------
    BatchNormSums
        Named tuple of ``n``, ``sum_dz`` and ``sum_dz_xhat`` (C,), float64.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If an array is empty, a shape does not fit, or an argument is outside what is said above.
    """
    x = floats("x", x)
    layout = layout_of(x, axis, True)
    dy = typed("dy", dy, x.dtype, "x")
    packed = backward_arguments(dy, x, mean, rstd, gamma, beta, layout, activation, mask, rate)
    sum_dz, sum_dz_xhat = np.empty(layout.channels), np.empty(layout.channels)
    get_backend().batch_norm_backward_sums(sum_dz, sum_dz_xhat, *packed)
    return BatchNormSums(x.size // layout.channels, sum_dz, sum_dz_xhat)


def batch_norm_backward_apply(
    dy: Floats,
    x: Floats,
    mean: Doubles,
    rstd: Doubles,
    sums: tuple[int, Doubles, Doubles],
    gamma: Floats | None = None,
    beta: Floats | None = None,
    *,
    axis: int = -1,
    activation: str = "linear",
    mask: Bools | None = None,
    rate: float = 0.0,
    out: Floats | None = None,
) -> Floats:
    """``dx = gamma * rstd * (dz - sum_dz / n - xhat * sum_dz_xhat / n)``: the second step.

    Parameters
    ----------
    dy, x, mean, rstd, gamma, beta, axis, activation, mask, rate
        Those of :func:`batch_norm_backward_sums`.
    sums : BatchNormSums, or a tuple (n, sum_dz, sum_dz_xhat)
        Totals of all parts.
    out : array like dy, optional
        Receives ``dx``; may be ``dy``. It is never copied.

    Returns
    -------
    dx : array like x
        ``out`` if that was given.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If an array is empty, a shape does not fit, or an argument is outside what is said above.
    """
    x = floats("x", x)
    layout = layout_of(x, axis, True)
    dy = typed("dy", dy, x.dtype, "x")
    packed = backward_arguments(dy, x, mean, rstd, gamma, beta, layout, activation, mask, rate)
    count = whole("n", sums[0], 1, 63)
    sum_dz, sum_dz_xhat = typed("sum_dz", sums[1], FLOAT64), typed("sum_dz_xhat", sums[2], FLOAT64)
    names = "dy x gamma beta sum_dz sum_dz_xhat"
    dx, target = layout.result(out, names, dy, x, gamma, beta, sum_dz, sum_dz_xhat)
    get_backend().batch_norm_backward_apply(target, *packed[:6], sum_dz, sum_dz_xhat, packed[6], count, *packed[7:])
    layout.restore(dx, target)
    return dx


def backward_arguments(
    dy: Floats,
    x: Floats,
    mean: Any,
    rstd: Any,
    gamma: Any,
    beta: Any,
    layout: Layout,
    activation: str,
    mask: Any,
    rate: float,
) -> tuple[Any, Any, Any, Any, Any, Any, Any, str, float]:
    """Return the inputs of both steps of the backward pass, checked, as the operations order and shape them."""
    dtype = x.dtype
    mask = None if mask is None else typed("mask", mask, BOOL)
    need_rectifier(activation)
    return (
        layout.checked("dy", dy),
        layout.packed(x),
        None if gamma is None else typed("gamma", gamma, dtype, "x"),
        None if beta is None else typed("beta", beta, dtype, "x"),
        typed("mean", mean, FLOAT64),
        typed("rstd", rstd, FLOAT64),
        None if mask is None else layout.checked("mask", mask),
        activation,
        dropout_rate(rate, mask),
    )


def vector(name: str, value: Any, like: list[Doubles]) -> Doubles:
    """Return a float64 array of one dimension, of the shape of the first of ``like``."""
    array = typed(name, value, FLOAT64)
    if array.ndim != 1 or (like and array.shape != like[0].shape):
        wrong_shape(name, array, str(like[0].shape) if like else "(C,)")
    return array
