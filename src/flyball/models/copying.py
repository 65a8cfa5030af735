"""Copies of models: whole ones, through the bytes that files have, and those for what must not touch the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball import _own_objects, optimizers, utils
from flyball.callbacks import History

if TYPE_CHECKING:
    from flyball.models import Sequential


def copy_model(model: Sequential, *, dtype: str | None = None) -> Sequential:
    """Return a model of its own with the layers, the weights, the seed and the loss of a built one.

    Its optimizer leaves the weights alone. The sequence of seeds that ``set_random_seed`` began goes on as if nothing
    had been made.
    """
    with _own_objects.recorded() as own:
        config = model.get_config()
    with utils.kept_seeds(), _own_objects.custom_object_scope(own):
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


def content_of(model: Sequential) -> tuple[bytes, dict[str, Any]]:
    """Return all that makes up a model, as :func:`made_of` takes it: the bytes of its file, and what files leave out.

    Raises
    ------
    ValueError
        If a part cannot be described, such as a metric that is a lambda.
    """
    history = None if model.history is None else model.history.get_state()
    from flyball.saving.models import to_bytes  # loaded where it is used, with what files need

    with _own_objects.recorded() as own:  # which a pickle names by their modules, as it does all classes
        content = to_bytes(model)
    return content, {"seed": model._seed, "epochs": model._epochs, "history": history, "custom_objects": own}


def made_of(content: bytes, rest: dict[str, Any]) -> Sequential:
    """Return a model of its own from the result of :func:`content_of`."""
    from flyball.saving.models import from_bytes

    with utils.kept_seeds(), _own_objects.custom_object_scope(rest.get("custom_objects")):
        model = from_bytes(content)
    model._seed, model._epochs = rest["seed"], rest["epochs"]
    if rest["history"] is not None:
        model.history = History()
        model.history.set_state(rest["history"])
        model.history.set_model(model)
    return model
