"""``evaluate`` and ``predict``: the model as it is, on data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball import _checks
from flyball.data import as_samples
from flyball.models.compilation import Compilation
from flyball.progress import check_verbose
from flyball.training import Evaluator, Predictor

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Inference(Compilation):
    """A model that is asked."""

    def evaluate(
        self,
        x: Any,
        y: Any,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        *,
        return_dict: bool = False,
    ) -> Any:
        """Return the loss, or ``[loss, *metrics]`` where there are metrics, or a dict of them by name."""
        loss, _ = self._require_compiled()
        samples, targets = self._prepare("x", x, "y", y)
        rows = None if batch_size is None else _checks.integer("batch_size", batch_size, 1)
        means = Evaluator(self._nodes(), self._require_built(), loss, samples, targets, rows).run()
        logs = self._report(means)
        check_verbose(verbose)
        if verbose in (1, 2):
            print(" - ".join(f"{name}: {value:.4f}" for name, value in logs.items()))
        if return_dict:
            return logs
        values = [logs[name] for name in self.metrics_names]
        return values if self._metrics else values[0]

    def predict(self, x: Any, batch_size: int | None = None, verbose: str | int = "auto") -> NDArray[Any]:
        """Return the outputs (samples, outputs) for ``x``; ``batch_size`` bounds the memory used, not the result."""
        del verbose  # Keras' argument; prediction prints nothing
        samples = as_samples("x", x, self._features())
        if not self.built:
            self.build(samples.shape[1:])
        memory = self._require_built()
        rows = None if batch_size is None else _checks.integer("batch_size", batch_size, 1)
        predictor = self._predictor
        if predictor is None or predictor.key != Predictor.key_of(samples, rows):
            predictor = self._predictor = Predictor(self._nodes(), memory, samples, rows)
        return predictor.run(samples)
