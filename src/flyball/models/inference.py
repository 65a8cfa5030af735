"""``evaluate`` and ``predict``: the model as it is, on data."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast, overload

import numpy as np

from flyball import _checks
from flyball.callbacks import CallbackList
from flyball.callbacks.base import as_list
from flyball.data import DEFAULT_BATCH_SIZE, as_samples, first_steps, step_bounds
from flyball.models.feeding import Feeding, refuse_beside_batches
from flyball.progress import check_verbose
from flyball.training import (
    INFERENCE_ROWS,
    BatchSource,
    MonteCarlo,
    MonteCarloPrediction,
    Predictor,
    are_batches,
    recompute_statistics,
    unpacked,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from flyball.callbacks import Callback
    from flyball.models.sequential import Sequential
    from flyball.training import Evaluator, StreamEvaluator


class Inference(Feeding):
    """A model that is asked."""

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Callback | Sequence[Callback] | None = None,
        return_dict: bool = False,
        **unknown: Any,
    ) -> Any:
        """Compute the loss and the metrics.

        Parameters
        ----------
        x, y : array, or batches and None
            As for :meth:`fit`.
        batch_size : int, optional
            Samples to look at at a time; bounds the memory used, not the result.
        verbose : {"auto", 0, 1, 2}
            Whether to print the result: 1 and 2 do.
        sample_weight : array (samples,) or (samples, positions), optional
            As for :meth:`fit`.
        steps : int, optional
            Batches to look at; all by default.
        callbacks : Callback or sequence of Callback, optional
            Those with ``on_test_begin``, ``on_test_end`` and their relatives of batches. Where one has a hook of
            batches, these have 32 samples if not said otherwise, as in Keras; the result is the same.
        return_dict : bool
            Whether to return values by name.
        **unknown
            Refused by name.

        Returns
        -------
        float, list of float or dict of str to float
            The loss, or ``[loss, *metrics]`` (:attr:`metrics_names`) where there are metrics.
        """
        _checks.no_more_arguments("evaluate", unknown, Inference.evaluate)
        self._require_compiled()
        check_verbose(verbose)
        batch_size = _checks.optional_count("batch_size", batch_size)
        steps = _checks.optional_count("steps", steps)
        watchers = CallbackList(as_list(callbacks), cast("Sequential", self), trains=False)
        watcher = watchers.watcher("test", self._report)
        if are_batches(x, lists=y is None):
            refuse_beside_batches("x", {"y": y, "sample_weight": sample_weight, "batch_size": batch_size})
            source = BatchSource("x", x, steps, steps_name="steps")
            if not self.built:
                self._batch("x[0]", source.first())
            evaluator: StreamEvaluator | Evaluator = self._stream_evaluator(source)
        else:
            data = first_steps(self._data_set(x, y, sample_weight), batch_size, steps, "steps")
            evaluator = self._evaluator(data, batch_size if watcher is None else batch_size or DEFAULT_BATCH_SIZE)
        watchers.set_params({"epochs": 1, "steps": evaluator.steps, "verbose": verbose})
        found: dict[str, float] = {}
        self.stop_evaluating = False
        with watchers.testing(found):
            means = evaluator.run(watcher)
            found.update(self._report(means))
        evaluator.release()
        if verbose in (1, 2):
            print(" - ".join(f"{name}: {value:.4f}" for name, value in self._report(means).items()))
        return self._returned(means, return_dict=return_dict)

    @overload
    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        steps: int | None = None,
        callbacks: Callback | Sequence[Callback] | None = None,
        *,
        mc_dropout: None = None,
        seed: int | None = None,
        **unknown: Any,
    ) -> NDArray[Any]: ...

    @overload
    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        steps: int | None = None,
        callbacks: Callback | Sequence[Callback] | None = None,
        *,
        mc_dropout: int,
        seed: int | None = None,
        **unknown: Any,
    ) -> MonteCarloPrediction: ...

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        steps: int | None = None,
        callbacks: Callback | Sequence[Callback] | None = None,
        *,
        mc_dropout: int | None = None,
        seed: int | None = None,
        **unknown: Any,
    ) -> NDArray[Any] | MonteCarloPrediction:
        """Return the outputs for samples, or with ``mc_dropout`` their mean and spread.

        Parameters
        ----------
        x : array (samples, ...), or batches
            As for :meth:`fit`; of batches ``(x, y)`` only x is looked at.
        batch_size : int, optional
            Samples to look at at a time; bounds the memory used, not the result.
        verbose : {"auto", 0, 1, 2}
            Keras' argument; prediction prints nothing.
        steps : int, optional
            Batches to look at; all by default.
        callbacks : Callback or sequence of Callback, optional
            Those with ``on_predict_begin``, ``on_predict_end`` and their relatives of batches, which have 32 samples
            if not said otherwise, as in Keras.
        mc_dropout : int, optional
            Number of passes with dropout and noise as in training, and batch normalisation as in inference. Where
            they disagree, the model is uncertain.
        seed : int, optional
            What the passes draw from; the model's own seed if not given. The same call gives the same result, which
            depends on ``batch_size`` here, or on the batches.
        **unknown
            Refused by name.

        Returns
        -------
        array (samples, ...) or MonteCarloPrediction
            One row a sample, in the model's dtype; with ``mc_dropout`` a named tuple ``(mean, std)`` of two of them.

        References
        ----------
        Gal and Ghahramani, "Dropout as a Bayesian approximation", 2016.
        """
        if unknown:
            _checks.no_more_arguments("predict", unknown, Inference.predict)
        check_verbose(verbose)
        plain = batch_size is None and steps is None and callbacks is None and mc_dropout is None and seed is None
        if plain and self._predictor is not None:
            outputs_at_once = self._predictor.run_in_place(x)
            if outputs_at_once is not None:
                return outputs_at_once
        batch_size = _checks.optional_count("batch_size", batch_size)
        steps = _checks.optional_count("steps", steps)
        passes = _checks.optional_count("mc_dropout", mc_dropout)
        if seed is not None and passes is None:
            _checks.refuse("seed", "None without mc_dropout: nothing is random", seed)
        seed = self._seed if seed is None else _checks.integer("seed", seed)
        watchers = CallbackList(as_list(callbacks), cast("Sequential", self), trains=False)
        watcher = watchers.watcher("predict")
        parts, count = self._parts(x, batch_size, steps, cut=watcher is not None)
        watchers.set_params({"epochs": 1, "steps": count, "verbose": verbose})
        monte_carlo: MonteCarlo | None = None
        outputs: list[tuple[NDArray[Any], ...]] = []
        self.stop_predicting = False
        with watchers.predicting():
            for samples in parts:
                if watcher is not None:
                    watcher.before(len(outputs))
                if passes is None:
                    outputs.append((self._predict(samples, batch_size),))
                else:
                    if monte_carlo is None:
                        if not self.built:
                            self.build(samples.shape[1:])
                        monte_carlo = MonteCarlo(self._nodes(), self._require_built(), passes, batch_size, seed)
                    outputs.append(monte_carlo.run(samples))
                out = outputs[-1]
                if watcher is not None and not watcher.after(
                    len(outputs) - 1, {"outputs": out[0] if passes is None else MonteCarloPrediction(*out)}
                ):
                    break
        joined = [values[0] if len(values) == 1 else np.concatenate(values) for values in zip(*outputs, strict=True)]
        return joined[0] if passes is None else MonteCarloPrediction(*joined)

    def _parts(
        self, x: Any, batch_size: int | None, steps: int | None, *, cut: bool
    ) -> tuple[Iterator[NDArray[Any]], int | None]:
        """Return what to predict of in turn, and how often, where that is known: an array as a whole, or ``cut``."""
        if are_batches(x, lists=False):
            refuse_beside_batches("x", {"batch_size": batch_size})
            source = BatchSource("x", x, steps, steps_name="steps")
            batches = ((f"{name}[0]", unpacked(name, batch)[0]) for name, batch in source.epoch())
            return (
                np.asarray(as_samples(name, part, self._input_shape), self.dtype) for name, part in batches
            ), source.steps
        samples = as_samples("x", x, self._input_shape)
        if steps is not None and batch_size is not None:
            samples = samples[: steps * batch_size]
        if not cut:
            return iter([samples]), 1
        rows = batch_size or DEFAULT_BATCH_SIZE
        return (samples[begin : begin + rows] for begin in range(0, len(samples), rows)), -(-len(samples) // rows)

    def __call__(self, x: Any, training: bool | None = None) -> NDArray[Any]:
        """Return the outputs for samples, as :meth:`predict` does.

        Parameters
        ----------
        x : array (samples, ...)
        training : bool, optional
            Must not be True: what layers do in training belongs to :meth:`fit`, or to ``predict(x, mc_dropout=n)`` and
            ``activations(x, training=True)``.
        """
        if training is not None and _checks.flag("training", training):
            others = "predict(x, mc_dropout=n) and activations(x, training=True) have dropout and batch statistics"
            _checks.refuse("training", f"False: {others}", training)
        return self.predict(x)

    def recompute_statistics(self, x: Any, batch_size: int | None = None, method: str = "population") -> None:
        """Recompute the moving statistics of all batch normalisations from a whole data set.

        The moving averages of training lag behind the weights, and remember small batches; after a training they can
        be replaced by what the final weights make of the data.

        Parameters
        ----------
        x : array (samples, ...), or batches that can be gone through again
            The training data, as for :meth:`fit`; of batches ``(x, y)`` only x is looked at.
        batch_size : int, optional
            Samples to look at at a time; with ``method="batches"`` those that share statistics, 32 by default.
        method : {"population", "batches"}
            ``"population"``: mean and variance of all samples, layer after layer, each behind layers that normalise
            with their new statistics, as they will in prediction. ``"batches"``: the averages over batches of
            training's statistics, ``mean = E_B[mean_B]`` and ``variance = m / (m - 1) * E_B[variance_B]`` with m
            values in a batch. Without dropout and noise, both.

        Raises
        ------
        ValueError, TypeError
            If the model has no batch normalisation, or an argument is not as described; the model is unchanged.

        References
        ----------
        Ioffe and Szegedy, "Batch normalization", 2015, algorithm 2.
        """
        averages = _checks.choice("method", method, ("population", "batches")) == "batches"
        batch_size = _checks.optional_count("batch_size", batch_size)
        chunks, rows = self._chunks(x, batch_size or (DEFAULT_BATCH_SIZE if averages else INFERENCE_ROWS), averages)
        memory = self._require_built()
        if not recompute_statistics(self._nodes(), memory, chunks, rows, average_of_batches=averages):
            msg = "model must have a batch normalisation that learns to recompute its statistics, got none"
            raise ValueError(msg)

    def _chunks(self, x: Any, batch_size: int, pairs: bool) -> tuple[Callable[[], Iterator[NDArray[Any]]], int]:
        """Return what goes through the samples, and how many there are at a time at most."""
        if are_batches(x, lists=True):
            if hasattr(x, "__next__"):
                expectation = "an array, or batches that can be gone through again"
                _checks.refuse("x", expectation, x)
            source = BatchSource("x", x, steps_name="steps")

            def from_batches() -> Iterator[NDArray[Any]]:
                source.restart()
                for name, batch in source.epoch():
                    samples = self._samples(f"{name}[0]", unpacked(name, batch)[0])
                    yield np.asarray(samples, self.dtype)

            sizes = [(len(chunk), chunk.shape[1:]) for chunk in from_batches()]
            if not self.built:
                self.build(sizes[0][1])
            return from_batches, max(size for size, _ in sizes)
        samples = self._samples("x", x)
        if not self.built:
            self.build(samples.shape[1:])
        bounds = step_bounds(len(samples), min(batch_size, len(samples)), batch_statistics=pairs)

        def from_array() -> Iterator[NDArray[Any]]:
            for begin, end in pairwise(bounds.tolist()):
                yield np.asarray(samples[begin:end], self.dtype)

        return from_array, int(np.diff(bounds).max())

    def _returned(self, means: dict[str, float] | None, *, return_dict: bool) -> Any:
        """Return what has been found in the shape in which Keras returns it."""
        logs = self._report(means)
        if return_dict:
            return logs
        values = [logs[name] for name in self.metrics_names]
        return values if len(values) > 1 else values[0]

    def _predict(self, samples: NDArray[Any], batch_size: int | None) -> NDArray[Any]:
        if not self.built:
            self.build(samples.shape[1:])
        memory = self._require_built()
        predictor = self._predictor
        if predictor is None or not predictor.is_for(samples, batch_size):
            shape = self.layers[-1].output_shape or ()
            predictor = self._predictor = Predictor(self._nodes(), memory, samples, batch_size, shape)
        return predictor.run(samples)
