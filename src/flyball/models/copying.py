"""Copies of models, for what must not touch the model itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball import optimizers, utils

if TYPE_CHECKING:
    from flyball.models import Sequential


def copy_model(model: Sequential, *, dtype: str | None = None) -> Sequential:
    """Return a model of its own with the layers, the weights, the seed and the loss of a built one.

    Its optimizer leaves the weights alone. The sequence of seeds that ``set_random_seed`` began goes on as if nothing
    had been made.
    """
    config = model.get_config()
    with utils.kept_seeds():
        copy = type(model).from_config(config if dtype is None else {**config, "dtype": dtype})
    copy._seed = model._seed
    if not copy.built:
        copy.build(model.input_shape)
    for layer, original in zip(copy.layers, model.layers, strict=True):
        layer.trainable = original.trainable
    if model.loss is not None:
        copy.compile(optimizers.SGD(0.0), model.loss)
    copy.set_weights(model.get_weights())
    return copy
