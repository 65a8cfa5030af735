"""Running a model's Programs over data.

``arrays`` goes through a whole data set without returning to Python, ``batches`` takes one batch at a time, from a
``source``; ``steps`` has what both need.
"""

from __future__ import annotations

from flyball.training.arrays import INFERENCE_ROWS, Evaluator, Predictor, Trainer
from flyball.training.batches import BatchEvaluator, BatchTrainer, StreamEvaluator, StreamTrainer
from flyball.training.monte_carlo import MonteCarlo, MonteCarloPrediction
from flyball.training.outputs import layer_outputs
from flyball.training.source import BatchSource, are_batches, unpacked
from flyball.training.statistics import recompute_statistics
from flyball.training.step_program import Shelf
from flyball.training.steps import (
    BatchWatcher,
    EpochEnds,
    Position,
    batch_statistics_layer,
    finish,
    require_batches,
    shuffled,
    start,
)

__all__ = [
    "INFERENCE_ROWS",
    "BatchEvaluator",
    "BatchSource",
    "BatchTrainer",
    "BatchWatcher",
    "EpochEnds",
    "Evaluator",
    "MonteCarlo",
    "MonteCarloPrediction",
    "Position",
    "Predictor",
    "Shelf",
    "StreamEvaluator",
    "StreamTrainer",
    "Trainer",
    "are_batches",
    "batch_statistics_layer",
    "finish",
    "layer_outputs",
    "recompute_statistics",
    "require_batches",
    "shuffled",
    "start",
    "unpacked",
]
