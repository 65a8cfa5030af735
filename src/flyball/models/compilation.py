"""What a model is trained for: optimizer, loss and metrics, and what they ask of layers and data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball import _checks
from flyball import losses as losses_module
from flyball import metrics as metrics_module
from flyball import optimizers as optimizers_module
from flyball.models.structure import Structure
from flyball.program.nodes import ActivationNode

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        run_eagerly: bool = False,
        steps_per_execution: int | str = 1,
        jit_compile: bool | str = "auto",
        **unknown: Any,
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
        run_eagerly, steps_per_execution, jit_compile
            Taken for scripts that come from Keras, and without effect: every model is compiled, and its steps run
            without Python between them.

        Raises
        ------
        ValueError, TypeError
            If an argument is not as described, or a layer cannot work with the loss; the model is unchanged.
        """
        del run_eagerly, steps_per_execution, jit_compile
        _checks.no_more_arguments("compile", unknown, Compilation.compile)
        chosen_optimizer = optimizers_module.get(optimizer)
        chosen_loss = losses_module.get(loss)
        chosen_metrics = [metrics_module.get(metric, chosen_loss) for metric in metrics or ()]
        if self.built:
            self._check_output(chosen_loss)
        self.optimizer, self.loss, self._metrics = chosen_optimizer, chosen_loss, chosen_metrics
        if self._input_shape is not None:
            self.build(self._input_shape)  # new memory: without state, and as the layers' `trainable` now stands

    def _report(self, means: dict[str, float] | None) -> dict[str, float]:
        """Return the loss and the metrics by name, from what a run found; nothing where there was no data."""
        if means is None:
            return {}
        return {**{metric.name: means[metric.source] for metric in self._metrics}, "loss": means["objective"]}

    def _require_compiled(self) -> tuple[Loss, Optimizer]:
        if self.loss is None or self.optimizer is None:
            msg = "model must be compiled with an optimizer and a loss before this: call compile"
            raise ValueError(msg)
        return self.loss, self.optimizer

    def _check_output(self, loss: Loss) -> None:
        """Refuse a loss that the last layer's activation does not fit, and layers that cannot be where they are."""
        self._check_augmentation()
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

    def _check_augmentation(self) -> None:
        """Refuse augmentation of what a layer before it learns to make: it passes no gradient on."""
        learning = ""
        for layer in self.layers:
            if learning and any(node.augments for node in layer.lower()):
                msg = f"{layer.name}: augmentation must come before all layers that learn, got it after {learning!r}"
                raise ValueError(msg)
            if any(weight.trainable for weight in layer.weights):
                learning = learning or layer.name
