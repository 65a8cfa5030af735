"""What a model is trained for: optimizer, loss and metrics, and what they ask of layers and data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks, regularizers
from flyball import losses as losses_module
from flyball import metrics as metrics_module
from flyball import optimizers as optimizers_module
from flyball._contents import Contents
from flyball.backend import get_backend
from flyball.models.structure import Structure
from flyball.program.lowering import Lowering
from flyball.program.nodes import ActivationNode
from flyball.program.requests import Data
from flyball.training.goal import Goal
from flyball.training.meters import key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flyball.losses import Loss
    from flyball.metrics import Metric
    from flyball.optimizers import Optimizer
    from flyball.program.nodes import Node
    from flyball.regularizers import Regularizer


class Compilation(Structure):
    """A structure with an objective."""

    optimizer: Optimizer | None = None
    loss: Loss | None = None
    _metrics: Sequence[Metric] = ()
    _weighted_metrics: Sequence[Metric] = ()
    _identity: object = None
    """What :attr:`flyball.optimizers.Optimizer.owner` is of its optimizer."""
    _known: tuple[Contents, list[Node]] | None = None
    """Nodes, and what they were made from."""

    @property
    def compiled(self) -> bool:
        """Whether the model knows what it is trained for."""
        return self.loss is not None

    @property
    def metrics(self) -> list[Metric]:
        """The metrics, those that are weighted last."""
        return [*self._metrics, *self._weighted_metrics]

    def reset_metrics(self) -> None:
        """Let all metrics forget their samples; ``fit``, ``evaluate`` and ``train_on_batch`` do so by themselves."""
        for metric in self.metrics:
            metric.reset_state()

    def get_compile_config(self) -> dict[str, Any]:
        """Return what the model was compiled with, as JSON types; ``{}`` where it was not."""
        from flyball.saving.models import compile_config  # loaded where it is used, with what files need

        return compile_config(self) or {}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile with the result of :meth:`get_compile_config`; raise ValueError where ``config`` is none."""
        from flyball.saving.models import compile_from, optimizer_of

        compile_from(self, optimizer_of(config), config)

    @property
    def metrics_names(self) -> list[str]:
        """Names of what :meth:`evaluate` returns."""
        return ["loss", *(metric.name for metric in (*self._metrics, *self._weighted_metrics))]

    def compile(
        self,
        optimizer: str | Optimizer = "rmsprop",
        loss: str | Loss | None = None,
        loss_weights: float | Sequence[float] | None = None,
        metrics: Sequence[str | Metric | Callable[..., Any]] | None = None,
        weighted_metrics: Sequence[str | Metric | Callable[..., Any]] | None = None,
        run_eagerly: bool = False,
        steps_per_execution: int | str = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
        *,
        regularizer: str | Regularizer | None = None,
        regularize_biases: bool = False,
        **unknown: Any,
    ) -> None:
        """Choose what to minimise and how; forgets the optimiser's state, keeps the weights.

        Parameters
        ----------
        optimizer : str or Optimizer
            A name such as ``"adam"``, or an instance from :mod:`flyball.optimizers`: a new one, or this model's own,
            which counts its steps anew.
        loss : str or Loss
            As in :mod:`flyball.losses`.
        loss_weights : None or 1
            Keras' argument for models of several outputs; here there is one loss.
        metrics : sequence of str, Metric or callable, optional
            Such as ``["accuracy", flyball.metrics.AUC()]``; see :func:`flyball.metrics.get`. What the loss computes
            anyway costs nothing; the others are computed in NumPy after each epoch, of the outputs its steps had.
        weighted_metrics : sequence of str, Metric or callable, optional
            Metrics in which samples count as much as their weights, or their classes', say.
        regularizer : str or Regularizer, optional
            Penalty of the whole model: of each kernel that has none of its own. See :mod:`flyball.regularizers`.
        regularize_biases : bool
            Whether it applies to biases and the parameters of normalisations as well.
        run_eagerly, steps_per_execution, jit_compile, auto_scale_loss
            Taken for scripts that come from Keras, and without effect: every model is compiled, its steps run without
            Python between them, and its numbers are wide enough without a scaled loss.

        Raises
        ------
        ValueError, TypeError
            If an argument is not as described, or a layer cannot work with the loss; the model is unchanged.
        """
        _checks.no_more_arguments("compile", unknown, Compilation.compile)
        if loss_weights not in (None, 1, [1], (1,)):
            expectation = "None: there is one loss, and a factor of it is one of the learning rate"
            _checks.refuse("loss_weights", expectation, loss_weights)
        _without_effect(run_eagerly, steps_per_execution, jit_compile, auto_scale_loss)
        chosen_optimizer = optimizers_module.get(optimizer)
        own = chosen_optimizer.owner is not None and chosen_optimizer.owner is self._identity
        if chosen_optimizer.owner is not None and not own and chosen_optimizer.steps:
            given = f"one that has done {chosen_optimizer.steps} steps for another model"
            msg = f"optimizer must be a new one for each model, got {given}"
            raise ValueError(msg)
        chosen_loss = losses_module.get(loss)
        chosen_loss.require_trainable()
        chosen = _metrics("metrics", metrics, chosen_loss), _metrics("weighted_metrics", weighted_metrics, chosen_loss)
        names = ["loss", *(metric.name for group in chosen for metric in group)]
        for name in names:
            if names.count(name) > 1:
                msg = f"metrics must have different names, and none 'loss', got {name!r} twice"
                raise ValueError(msg)
        chosen_regularizer = regularizers.get(regularizer)
        regularize_biases = _checks.flag("regularize_biases", regularize_biases)
        before, values = vars(self).copy(), [(weight, weight.value) for weight in self.weights]
        if own:
            chosen_optimizer.steps = 0
        self._identity = chosen_optimizer.owner = self._identity or object()
        self.optimizer, self.loss = chosen_optimizer, chosen_loss
        self.regularizer, self.regularize_biases = chosen_regularizer, regularize_biases
        self._metrics, self._weighted_metrics = chosen
        try:
            if self.built:
                self._check_output(chosen_loss)
            if self._input_shape is not None:
                self.build(self._input_shape)  # new memory: without state, and as the layers' `trainable` now stands
            if self.built:
                self._check_step()
        except BaseException:
            vars(self).update(before)
            for weight, value in values:
                weight.value = value
            raise

    def _report(self, means: dict[str, float] | None) -> dict[str, float]:
        """Return the loss and the metrics by name, from what a run found; nothing where there was no data."""
        if means is None:
            return {}
        return {name: means[key(name)] for name in self.metrics_names[1:]} | {"loss": means["objective"]}

    def _goal(self) -> Goal:
        loss, _ = self._require_compiled()
        self._require_built()
        return Goal(loss, self.layers[-1].output_shape or (), self._metrics, self._weighted_metrics)

    def _require_compiled(self) -> tuple[Loss, Optimizer]:
        if self.loss is None or self.optimizer is None:
            msg = "model must be compiled with an optimizer and a loss before this: call compile"
            raise ValueError(msg)
        return self.loss, self.optimizer

    def _require_own_optimizer(self) -> Optimizer:
        """Refuse to train with an optimizer that has no state for this model, or counts another's steps."""
        _, optimizer = self._require_compiled()
        if optimizer.owner is not self._identity:
            other = "none" if optimizer.owner is None else "another"
            msg = f"optimizer must be the one this model was compiled with last, got one of {other}: call compile"
            raise ValueError(msg)
        return optimizer

    def _settings(self) -> tuple[object, ...]:
        """Return what, with all it is made of, nodes and a Program of training depend on."""
        settings = self._layers, self.optimizer, self.regularizer, self.regularize_biases, self._memory, self._seed
        return *settings, self._identity, get_backend().name

    def _known_nodes(self) -> list[Node]:
        """Return the nodes; the same list as before where nothing that they depend on has changed."""
        if self._known is None or not self._known[0].are(*self._settings()):
            nodes = self._nodes()
            self._known = Contents(*self._settings()), nodes
        return self._known[1]

    def _check_output(self, loss: Loss) -> None:
        """Refuse a loss that the last layer's activation does not fit."""
        nodes = self._nodes()
        penalised = bool(nodes) and nodes[-1].for_loss_only
        last = next((node for node in reversed(nodes) if not node.for_loss_only), None)
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
        if ends_in_it and penalised:
            why = f"its {fused} is computed together with the loss"
            msg = f"{layer}: activity_regularizer must be None for the last layer: {why}"
            raise ValueError(msg)

    def _check_step(self) -> None:
        """Refuse what cannot work: write the Program of a step on two samples, of which each layer has its say."""
        goal, memory = self._goal(), self._require_built()
        goal.meters(weighted=True)
        x = np.zeros((2, *(self._input_shape or ())), self.dtype)
        y = goal.loss.sample_targets(2, goal.output_shape, self.dtype)
        targets = goal.targets(goal.loss.prepare_targets(y, goal.output_shape, self.dtype))
        Lowering(self._nodes(), memory, Data(x, targets), len(x), training=True).objective(goal.objective)


def _without_effect(run_eagerly: bool, steps_per_execution: int | str, jit_compile: Any, auto_scale_loss: bool) -> None:
    """Check what is taken for Keras' sake: a mistake in it would be one there."""
    _checks.flag("run_eagerly", run_eagerly)
    if steps_per_execution not in ("auto", None):
        _checks.integer("steps_per_execution", steps_per_execution, 1)
    if jit_compile not in ("auto", None):
        _checks.flag("jit_compile", jit_compile)
    _checks.flag("auto_scale_loss", auto_scale_loss)


def _metrics(argument: str, given: Sequence[object] | None, loss: Loss) -> list[Metric]:
    if given is None:
        return []
    if isinstance(given, str) or not isinstance(given, (list, tuple)):
        _checks.refuse(argument, "a list of names or metrics", given)
    found = [metrics_module.get(metric, loss) for metric in given]
    for metric in found:
        if type(metric) in (metrics_module.Mean, metrics_module.Sum):
            _checks.refuse(argument, "of targets and predictions", metric)
    return found
