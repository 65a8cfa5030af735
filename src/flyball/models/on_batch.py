"""``train_on_batch`` and its relatives: one step at a time, for loops of a user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball import _checks
from flyball.models.inference import Inference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flyball.training import BatchEvaluator, BatchTrainer


class OnBatch(Inference):
    """A model that is handed batches one by one."""

    _on_batch: tuple[int, BatchTrainer, BatchEvaluator] | None = None

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        return_dict: bool = False,
        **unknown: Any,
    ) -> Any:
        """Do one step of training.

        The first call writes the Program; later ones use it, for batches of as many samples or fewer. A change to the
        optimizer, to penalties or layers counts from the next call; after one of ``trainable``, ``compile`` anew.

        Parameters
        ----------
        x, y : array
            One batch, as for :meth:`fit`.
        sample_weight : array (samples,) or (samples, positions), optional
        class_weight : dict of int to float, optional
            As for :meth:`fit`.
        return_dict : bool
            Whether to return values by name.
        **unknown
            Refused by name.

        Returns
        -------
        float, list of float or dict of str to float
            As of :meth:`evaluate`: of this batch, with the weights before the step.
        """
        _checks.no_more_arguments("train_on_batch", unknown, OnBatch.train_on_batch)
        classes = self._class_weights(class_weight, sample_weight)
        self._require_own_optimizer()
        batch = self._data_set(x, y, sample_weight, classes)
        trainer, _ = self._batch_programs()
        trainer.clear()
        trainer.step(batch)
        return self._returned(trainer.means(), return_dict=return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False, **unknown: Any
    ) -> Any:
        """Compute loss and metrics of one batch; arguments and result are those of :meth:`train_on_batch`."""
        _checks.no_more_arguments("test_on_batch", unknown, OnBatch.test_on_batch)
        batch = self._data_set(x, y, sample_weight)
        _, evaluator = self._batch_programs()
        evaluator.clear()
        evaluator.step(batch)
        return self._returned(evaluator.means(), return_dict=return_dict)

    def predict_on_batch(self, x: Any) -> NDArray[Any]:
        """Return the outputs for one batch of samples, as :meth:`predict` does."""
        return self.predict(x)

    def _batch_programs(self) -> tuple[BatchTrainer, BatchEvaluator]:
        if self._on_batch is None or self._on_batch[0] != self._programs:
            self._on_batch = (self._programs, self._batch_trainer(), self._batch_evaluator())
        _, trainer, evaluator = self._on_batch
        nodes = self._known_nodes()
        trainer.refresh(nodes, self._seed)
        evaluator.refresh(nodes, 0)
        return trainer, evaluator
