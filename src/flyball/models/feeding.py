"""What data a model takes: arrays and batches, checked, and what runs over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball import _checks
from flyball.data import DataSet, as_array, as_samples, require_finite, require_same_length
from flyball.models.compilation import Compilation
from flyball.sample_weights import ClassWeights, as_sample_weights
from flyball.training import BatchEvaluator, BatchSource, BatchTrainer, Evaluator, StreamEvaluator, unpacked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from flyball.losses import Loss


class Feeding(Compilation):
    """A model with an objective that is given data."""

    stop_evaluating: bool = False
    """Whether an evaluation that runs ends after the batch; for hooks of batches."""
    stop_predicting: bool = False
    """Whether a prediction that runs ends after the batch; for hooks of batches."""

    def _samples(self, name: str, x: Any) -> NDArray[Any]:
        samples = as_samples(name, x, self._input_shape)
        require_finite(name, samples)
        return samples

    def _data_set(
        self,
        x: Any,
        y: Any,
        weights: Any = None,
        class_weights: ClassWeights | None = None,
        *,
        within: str | None = None,
    ) -> DataSet:
        """Check and convert samples, targets and weights; errors call them ``x``, ``y`` and ``sample_weight``.

        Of a pair or triple ``within``, they call them ``within[0]`` and so on. Builds the model if need be.
        """
        names = ("x", "y", "sample_weight") if within is None else tuple(f"{within}[{i}]" for i in range(3))
        loss, _ = self._require_compiled()
        if y is None:
            _refuse_pair(names, x)
        with self._unbuilt_on_error():
            return self._checked(names, x, y, weights, class_weights, loss)

    def _checked(
        self, names: Sequence[str], x: Any, y: Any, weights: Any, class_weights: ClassWeights | None, loss: Loss
    ) -> DataSet:
        try:
            samples = self._samples(names[0], x)
        except ValueError as error:
            if self._input_shape is not None and getattr(y, "shape", ())[1:] == self._input_shape:
                msg = f"{error}; {names[1]} has samples of that shape: are {names[0]} and {names[1]} swapped?"
                raise ValueError(msg) from error
            raise
        if y is None:
            msg = f"{names[1]} must be targets for the loss {loss.name}, got None"
            raise ValueError(msg)
        if not self.built:
            self.build(samples.shape[1:])
            self._check_output(loss)
        self._require_built()
        given = as_array(names[1], y)
        if given.dtype.kind in "OUST":
            first = next((value for value in given.flat if isinstance(value, (str, bytes))), None)
            if first is not None:
                advice = f"numpy.unique({names[1]}, return_inverse=True)[1] numbers classes that have names"
                msg = f"{names[1]} must be numbers, got {_checks.shown(first)} (dtype {given.dtype}); {advice}"
                raise ValueError(msg)
        targets = loss.prepare_targets(given, self.layers[-1].output_shape or (), self.dtype, name=names[1])
        require_same_length(names[1], targets, names[0], samples)
        if class_weights is not None:
            weights = class_weights.of(names[1], targets)
        if weights is not None:
            positions = () if loss.per_sample else (self.layers[-1].output_shape or ())[:-1]
            by_position = loss.objective.by_position
            weights = as_sample_weights(names[2], weights, (len(samples), *positions), self.dtype, each=by_position)
        return DataSet(samples, targets, weights)

    def _class_weights(self, class_weight: Any, sample_weight: Any) -> ClassWeights | None:
        if class_weight is None:
            return None
        if sample_weight is not None:
            msg = "class_weight must be None where sample_weight is given: one of the two, or their product by yourself"
            raise ValueError(msg)
        shape = self.layers[-1].output_shape if self.layers else None
        return ClassWeights(class_weight, shape[-1] if shape and shape[-1] > 1 else None)

    def _batch(self, name: str, batch: Any, class_weights: ClassWeights | None = None) -> DataSet:
        """Check and convert a batch (x, y) or (x, y, sample_weight)."""
        x, y, weights = unpacked(name, batch)
        if class_weights is not None and weights is not None:
            msg = f"class_weight must be None where batches have weights, as {name} has"
            raise ValueError(msg)
        return self._data_set(x, y, weights, class_weights, within=name)

    def _batch_trainer(self) -> BatchTrainer:
        _, optimizer = self._require_compiled()
        return BatchTrainer(self._known_nodes(), self._require_built(), self._goal(), optimizer, self._seed)

    def _batch_evaluator(self) -> BatchEvaluator:
        return BatchEvaluator(self._known_nodes(), self._require_built(), self._goal())

    def _evaluator(self, data: DataSet, batch_size: int | None) -> Evaluator:
        return Evaluator(self._known_nodes(), self._require_built(), self._goal(), data, batch_size, self._shelf)

    def _stream_evaluator(self, source: BatchSource) -> StreamEvaluator:
        return StreamEvaluator(source, self._batch, self._batch_evaluator())


def _refuse_pair(names: Sequence[str], x: Any) -> None:
    """Refuse samples and targets that were given together as samples."""
    if not isinstance(x, (tuple, list)) or not 2 <= len(x) <= 3:
        return
    shapes: list[Any] = [getattr(part, "shape", ()) for part in x]
    if all(shapes) and len({shape[0] for shape in shapes}) == 1 and len(set(shapes)) > 1:
        found = f"a {type(x).__name__} of arrays of shapes {_checks.listed(shapes)}"
        expectation = f"samples alone, and {names[1]} an argument of its own"
        msg = f"{names[0]} must be {expectation}, got {found}; a list [(x, y)] would be one of batches"
        raise ValueError(msg)


def refuse_beside_batches(name: str, others: dict[str, Any]) -> None:
    """Refuse the arguments that are no None: batches have their own targets, weights and sizes."""
    for other, value in others.items():
        if value is not None:
            msg = f"{other} must be None where {name} gives batches, got {_checks.shown(value)}"
            raise ValueError(msg)
