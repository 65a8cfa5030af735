"""What a model is trained for: optimizer, loss and metrics, and what they ask of layers and data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball import losses as losses_module
from flyball import metrics as metrics_module
from flyball import optimizers as optimizers_module
from flyball.data import as_samples, require_finite, require_same_length
from flyball.models.structure import Structure
from flyball.program.nodes import ActivationNode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from flyball.losses import Loss
    from flyball.metrics import Metric
    from flyball.optimizers import Optimizer


class Compilation(Structure):
    """A structure with an objective."""

    optimizer: Optimizer | None = None
    loss: Loss | None = None
    _metrics: Sequence[Metric] = ()

    @property
    def metrics_names(self) -> list[str]:
        """Names of what :meth:`evaluate` returns."""
        return ["loss", *(metric.name for metric in self._metrics)]

    def compile(
        self,
        optimizer: str | Optimizer = "rmsprop",
        loss: str | Loss | None = None,
        *,
        metrics: Sequence[str] | None = None,
    ) -> None:
        """Choose what to minimise and how; forgets the optimiser's state, keeps the weights.

        Parameters
        ----------
        optimizer : str or Optimizer
            A name such as ``"adam"``, or an instance from :mod:`flyball.optimizers`.
        loss : str or Loss
            As in :mod:`flyball.losses`.
        metrics : sequence of str, optional
            Such as ``["accuracy"]``.
        """
        chosen_optimizer = optimizers_module.get(optimizer)
        chosen_loss = losses_module.get(loss)
        chosen_metrics = [metrics_module.get(metric, chosen_loss) for metric in metrics or ()]
        if self.built:
            self._check_output(chosen_loss)
        self.optimizer, self.loss, self._metrics = chosen_optimizer, chosen_loss, chosen_metrics
        if self._input_shape is not None:
            self.build(self._input_shape)  # new memory: without state, and as the layers' `trainable` now stands

    def _report(self, means: dict[str, float]) -> dict[str, float]:
        return {**{metric.name: means[metric.source] for metric in self._metrics}, "loss": means["objective"]}

    def _require_compiled(self) -> tuple[Loss, Optimizer]:
        if self.loss is None or self.optimizer is None:
            msg = "model must be compiled with an optimizer and a loss before this: call compile"
            raise ValueError(msg)
        return self.loss, self.optimizer

    def _prepare(self, x_name: str, x: Any, y_name: str, y: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        loss, _ = self._require_compiled()
        samples = as_samples(x_name, x, self._features())
        require_finite(x_name, samples)
        if not self.built:
            self.build(samples.shape[1:])
            self._check_output(loss)
        self._require_built()
        targets = loss.prepare_targets(y, self.layers[-1].output_shape or (), self.dtype, name=y_name)
        require_same_length(y_name, targets, x_name, samples)
        return samples, targets

    def _check_output(self, loss: Loss) -> None:
        """Refuse a loss that the last layer's activation does not fit."""
        nodes = self._nodes()
        last = nodes[-1] if nodes else None
        fused = loss.objective.fused
        if fused == "linear":
            return
        ends_in_it = isinstance(last, ActivationNode) and last.activation == fused
        layer = self.layers[-1].name
        if not loss.from_logits and not ends_in_it:
            msg = f"loss must be given from_logits=True, or layer {layer!r} a {fused} activation, for {loss.name}"
            raise ValueError(msg)
        if loss.from_logits and ends_in_it:
            msg = f"loss must be given from_logits=False: layer {layer!r} ends in {fused}, whose outputs are no logits"
            raise ValueError(msg)
