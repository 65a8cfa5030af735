"""Where a training stands: what a run needs, besides the weights, to go on as if it had never stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks
from flyball._lookahead import SLOW, Lookahead
from flyball.program.memory import UNAVERAGED
from flyball.saving import files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from flyball.models import Sequential
    from flyball.optimizers import Optimizer
    from flyball.program.memory import Memory
    from flyball.program.nodes import Weight


def counts(model: Sequential) -> dict[str, Any]:
    """Return what is counted: steps, epochs, the seed, and the names of the optimizer's arrays."""
    memory, optimizer = model._require_built(), model.optimizer
    return {
        "iterations": 0 if optimizer is None else optimizer.steps,
        "epochs": model._epochs,
        "seed": model._seed,
        "slots": sorted(_arrays(memory)),
    }


def slot_tensors(model: Sequential) -> dict[str, NDArray[Any]]:
    """Return the optimizer's arrays, one for each slot and weight, by name."""
    memory = model._require_built()
    return {
        slot_name(slot, weight.name): memory.view(array, weight)
        for slot, array in sorted(_arrays(memory).items())
        for weight in memory.parameter_weights()
    }


def _arrays(memory: Memory) -> dict[str, NDArray[Any]]:
    """Return the optimizer's arrays by slot; where the model has the average of its parameters, as when it is done."""
    if not memory.averaged:
        return memory.slots
    return memory.slots | {"average": memory.parameters, UNAVERAGED: memory.slots["average"]}


def slot_tensors_for_compile(model: Sequential) -> dict[str, NDArray[Any]]:
    """Return the same for the weights that the optimizer changes once the model is compiled anew, as it is on loading.

    Those are others where ``trainable`` has been set since: what was frozen begins with the first value, or, where the
    array follows the weights, with the weight.
    """
    memory, optimizer = model._require_built(), model.optimizer
    known = {id(weight) for weight in memory.parameter_weights()}
    initial = {} if optimizer is None else _initial(optimizer)
    follow = ("average", UNAVERAGED, SLOW)

    def value(slot: str, array: NDArray[Any], weight: Weight) -> NDArray[Any]:
        if id(weight) in known:
            return memory.view(array, weight)
        return weight.value if slot in follow else np.full(weight.shape, initial[slot], memory.dtype)

    return {
        slot_name(slot, weight.name): value(slot, array, weight)
        for slot, array in sorted(_arrays(memory).items())
        for weight in model.weights
        if weight.trainable
    }


def check_counts(facts: Any, optimizer: Optimizer | None) -> None:
    """Raise ValueError where ``facts`` are not what :func:`counts` returns for a model with ``optimizer``."""
    files.keys("the training", facts, ("iterations", "epochs", "seed", "slots"))
    for name in ("iterations", "epochs", "seed"):
        _checks.integer(f"the training's {name}", facts[name])
    if facts["seed"] >= 2**63:
        _checks.refuse("the training's seed", "below 2**63", facts["seed"])
    known = () if optimizer is None else _initial(optimizer)
    slots = facts["slots"]
    if not isinstance(slots, list) or len(slots) != len({*map(str, slots)}) or not set(slots) <= set(known):
        expected = f"some of {', '.join(known)}" if known else "empty"
        _checks.refuse("the training's slots", f"{expected}, each once", slots)


def expected_slots(weights: Sequence[Weight], optimizer: Optimizer | None, facts: Any) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the optimizer's arrays by name; raise ValueError where ``facts`` are not :func:`counts`."""
    check_counts(facts, optimizer)
    shapes = {slot_name(slot, w.name): w.shape for slot in facts["slots"] for w in weights if w.trainable}
    clash = sorted(set(shapes) & {weight.name for weight in weights})
    if clash:
        _checks.refuse("names of weights", "others than those of the optimizer's state", clash)
    return shapes


def restore(model: Sequential, tensors: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
    """Set the optimizer's arrays, the counts and the seed; ``facts`` have been checked.

    Arrays are set in place: a Program in use sees the values.
    """
    memory = model._require_built()
    if model.optimizer is not None:
        model.optimizer.steps = facts["iterations"]
        initial = _initial(model.optimizer)
        memory.slots.pop(UNAVERAGED, None)
        memory.averaged = False
        if SLOW not in facts["slots"]:  # before its first step there are none
            memory.slots.pop(SLOW, None)
        for slot in {*memory.slots, *facts["slots"]}:
            memory.slot(slot, initial[slot]).fill(initial[slot])
        for slot in facts["slots"]:
            for weight in memory.parameter_weights():
                memory.state_of(slot, weight)[...] = tensors[slot_name(slot, weight.name)]
    model._epochs, model._seed = facts["epochs"], facts["seed"]


def _initial(optimizer: Optimizer) -> dict[str, float]:
    """Return the first value of each of the arrays that an optimizer may have."""
    update = optimizer.update()
    averages = {} if update.average_decay is None else {"average": 0.0, UNAVERAGED: 0.0}
    slow = {SLOW: 0.0} if isinstance(optimizer, Lookahead) else {}
    accumulated = {"accumulated": 0.0} if update.steps > 1 else {}
    return dict.fromkeys(update.slots, update.initial) | averages | slow | accumulated


_SLOTS = "optimizer/"


def is_slot(name: str) -> bool:
    """Whether a tensor that is no weight is the optimizer's."""
    return name.startswith(_SLOTS)


def slot_name(slot: str, weight: str) -> str:
    """Return what the optimizer's array ``slot`` for a weight is called in files."""
    return f"{_SLOTS}{slot}/{weight}"
