"""What a run is for: a loss, and metrics for models with outputs of one shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from flyball.training.meters import Meters

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from flyball.losses import Loss
    from flyball.metrics import Metric
    from flyball.program.requests import Objective


class Goal(NamedTuple):
    """A loss, and the metrics to report beside it: those that leave sample weights alone, and those that use them."""

    loss: Loss
    output_shape: tuple[int, ...]
    metrics: Sequence[Metric] = ()
    weighted_metrics: Sequence[Metric] = ()

    @property
    def objective(self) -> Objective:
        """What a Program computes."""
        return self.loss.in_training

    def meters(self, *, weighted: bool) -> Meters:
        """Return the metrics for a run, with sums of their own; ``weighted`` says whether there may be weights."""
        return Meters(self.metrics, self.weighted_metrics, self.loss, self.output_shape, weighted=weighted)

    def targets(self, y: NDArray[Any], noise: np.random.Generator | None = None) -> NDArray[Any]:
        """Return what the objective takes for the targets ``y``; of training with ``noise``, if the loss has some."""
        return self.loss.training_targets(y, self.output_shape[-1], noise)
