"""``evaluate`` and ``predict``: the model as it is, on data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks
from flyball.data import as_samples, first_steps
from flyball.models.feeding import Feeding, refuse_beside_batches
from flyball.progress import check_verbose
from flyball.training import BatchSource, Predictor, are_batches, unpacked

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
        *,
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
        sample_weight : array (samples,), optional
            As for :meth:`fit`.
        steps : int, optional
            Batches to look at; all by default.
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
        if are_batches(x, lists=y is None):
            refuse_beside_batches("x", {"y": y, "sample_weight": sample_weight, "batch_size": batch_size})
            source = BatchSource("x", x, steps, steps_name="steps")
            if not self.built:
                self._batch("x[0]", source.first())
            means = self._stream_evaluator(source).run()
        else:
            data = first_steps(self._data_set(x, y, sample_weight), batch_size, steps, "steps")
            means = self._evaluator(data, batch_size).run()
        if verbose in (1, 2):
            print(" - ".join(f"{name}: {value:.4f}" for name, value in self._report(means).items()))
        return self._returned(means, return_dict=return_dict)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        steps: int | None = None,
        **unknown: Any,
    ) -> NDArray[Any]:
        """Return the outputs for samples.

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
        **unknown
            Refused by name.

        Returns
        -------
        array (samples, ...)
            One row a sample, in the model's dtype.
        """
        _checks.no_more_arguments("predict", unknown, Inference.predict)
        check_verbose(verbose)
        batch_size = _checks.optional_count("batch_size", batch_size)
        steps = _checks.optional_count("steps", steps)
        if not are_batches(x, lists=False):
            samples = as_samples("x", x, self._input_shape)
            if steps is not None and batch_size is not None:
                samples = samples[: steps * batch_size]
            return self._predict(samples, batch_size)
        refuse_beside_batches("x", {"batch_size": batch_size})
        outputs = []
        for name, batch in BatchSource("x", x, steps, steps_name="steps").epoch():
            samples = as_samples(f"{name}[0]", unpacked(name, batch)[0], self._input_shape)
            outputs.append(self._predict(np.asarray(samples, self.dtype), None))
        return np.concatenate(outputs)

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
        if predictor is None or predictor.key != Predictor.key_of(samples, batch_size):
            predictor = self._predictor = Predictor(self._nodes(), memory, samples, batch_size)
        # Where no layer computes anything, the Program hands on rows that are flat.
        return predictor.run(samples).reshape(len(samples), *self.output_shape[1:])
