"""The networks that the command line trains: one plain, one regularised, of the same size."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import flyball
from flyball import callbacks, layers, optimizers, regularizers
from flyball.cli import report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from flyball import Sequential

    Part = tuple[NDArray[Any], NDArray[Any]]


@dataclass(frozen=True)
class Recipe:
    """How to build and train a network; the defaults are among the best on splits of the digits without the test part.

    ``rate`` of dropout after each hidden layer, ``l2`` in Keras' convention on kernels, ``patience`` in epochs without
    a lower validation loss after which training stops and the best weights come back. ``regularised`` False leaves out
    all of these and batch normalisation.
    """

    hidden: tuple[int, ...] = (256, 256)
    regularised: bool = True
    rate: float = 0.4
    l2: float = 3e-4
    momentum: float = 0.9
    learning_rate: float = 1e-3
    batch_size: int = 128
    epochs: int = 200
    patience: int = 40


@dataclass
class Run:
    """A trained network: its learning curves, the epoch (from 1) whose weights it has, and how long it took.

    ``planned`` is the number of epochs after which it would have ended by itself.
    """

    name: str
    model: Sequential
    history: dict[str, list[float]]
    best_epoch: int
    seconds: float
    scores: dict[str, float] = field(default_factory=dict)
    planned: int = 0

    @property
    def epochs(self) -> int:
        """Number of epochs it was trained for."""
        return len(self.history["loss"])


def build(recipe: Recipe, features: int, outputs: int, task: str) -> Sequential:
    """Return a compiled network for ``task``: ``"classification"`` into ``outputs`` classes, or ``"regression"``."""
    model = flyball.Sequential([layers.Input((features,))])
    for units in recipe.hidden:
        if recipe.regularised:
            model.add(layers.Dense(units, kernel_regularizer=regularizers.L2(recipe.l2)))
            # 0.9, because 0.99 would still remember the first epochs of a short training when it ends.
            model.add(layers.BatchNormalization(momentum=recipe.momentum))
            model.add(layers.ReLU())
            model.add(layers.Dropout(recipe.rate))
        else:
            model.add(layers.Dense(units, activation="relu"))
    penalty = regularizers.L2(recipe.l2) if recipe.regularised else None
    classify = task == "classification"
    model.add(layers.Dense(outputs, activation="softmax" if classify else None, kernel_regularizer=penalty))
    model.compile(
        optimizers.Adam(learning_rate=recipe.learning_rate),
        loss="sparse_categorical_crossentropy" if classify else "mse",
        metrics=["accuracy"] if classify else [],
    )
    return model


def train(
    recipe: Recipe,
    task: str,
    outputs: int,
    seed: int,
    parts: tuple[Part, Part],
    watchers: Sequence[callbacks.Callback] = (),
    verbose: int = 0,
) -> Run:
    """Train a network on ``parts[0]``, watching ``parts[1]``; everything random in it is a function of ``seed``."""
    (x, y), validation = parts
    flyball.utils.set_random_seed(seed)
    model = build(recipe, x.shape[1], outputs, task)
    chosen = list(watchers)
    if recipe.regularised:
        chosen.append(callbacks.EarlyStopping(monitor="val_loss", patience=recipe.patience, restore_best_weights=True))
    watch = report.Stopwatch()
    result = model.fit(
        x,
        y,
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        verbose=verbose,
        validation_data=validation,
        callbacks=chosen,
    )
    seconds = watch.seconds()
    history = {name: [float(value) for value in values] for name, values in result.history.items()}
    losses = history["val_loss"]
    best = losses.index(min(losses)) + 1 if recipe.regularised else len(losses)
    name = "regularised" if recipe.regularised else "plain"
    return Run(name, model, history, best, seconds, planned=recipe.epochs)
