"""Moving statistics of batch normalisation, recomputed over a data set."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.backend import OPERATIONS, get_backend
from flyball.program.instructions import Instruction
from flyball.program.lowering import Lowering
from flyball.program.requests import Data
from flyball.program.runners import runner
from flyball.training.steps import no_learning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from flyball.program.instructions import Buffer, Program
    from flyball.program.memory import Memory
    from flyball.program.nodes import Node

    Chunks = Callable[[], Iterable[NDArray[Any]]]
    Moments = tuple[int, NDArray[np.float64], NDArray[np.float64]]

FORWARD = ("batch_norm_forward", "ghost_batch_norm_forward")


def recompute_statistics(
    nodes: list[Node], memory: Memory, chunks: Chunks, rows: int, *, average_of_batches: bool
) -> int:
    """Set the running statistics of all batch normalisations from the samples of ``chunks``; return how many.

    ``chunks()`` goes through all samples, in the model's dtype, at most ``rows`` of them at a time. For the formulas
    see :func:`flyball.functional.population_statistics`. However this ends early, the statistics are as before.
    """
    template = np.empty((rows, *next(iter(chunks())).shape[1:]), memory.dtype)
    lowering = Lowering(nodes, memory, Data(template), rows, training=True, noisy=False)
    lowering.forward()
    program = lowering.program
    places = [i for i, instruction in enumerate(program.instructions) if instruction.op in FORWARD]
    before = memory.statistics.copy()
    try:
        if average_of_batches:
            # As in training: each layer sees what the layers before it make of the batch with the batch's statistics.
            _set(program, places, chunks, average_of_batches=True)
        else:
            # As in inference: layer after layer, each on what the ones before it make with their new statistics.
            for place in places:
                _set(program, [place], chunks, average_of_batches=False)
                program.instructions[place] = _inference(program.instructions[place])
    except BaseException:
        memory.statistics[...] = before
        raise
    return len(places)


def _set(program: Program, places: list[int], chunks: Chunks, *, average_of_batches: bool) -> None:
    """Set the statistics of the batch normalisations at ``places`` of the program from moments of their inputs."""
    from flyball.functional.norm_steps import population_statistics  # a face that models need for nothing else

    layers = [program.instructions[place] for place in places]
    part = replace(program, instructions=program.instructions[: places[-1]]) if places else program
    inputs = [_buffer(layer, "x") for layer in layers]
    moments: list[list[Moments]] = [[] for _ in layers]
    for rows in _runs(part, chunks):
        for parts, layer, x in zip(moments, layers, inputs, strict=True):
            group = layer.scalars.get("group") if average_of_batches else None
            parts += [_moments(part, _channels(x)) for part in _groups(x.rows(0, rows), group)]
    for layer, parts in zip(layers, moments, strict=True):
        mean, var = population_statistics(parts, average_of_batches=average_of_batches)
        _buffer(layer, "running_mean").array[...] = mean
        _buffer(layer, "running_var").array[...] = var


def _runs(program: Program, chunks: Chunks) -> Iterator[int]:
    """Run the program on chunk after chunk; yield the rows of each when it has."""
    x = program.buffers["x"]
    run = runner(program) if program.instructions else None
    for chunk in chunks():
        array = np.ascontiguousarray(chunk).reshape(len(chunk), *x.sample_shape)
        if run is None:
            x.replace(array)
        else:
            run.bind(x, array)
            run.run(no_learning(np.array([0, len(chunk)])))
        yield len(chunk)


def _groups(x: NDArray[Any], group: Any) -> list[NDArray[Any]]:
    """Return the parts of ``x`` that have statistics of their own: of ``group`` rows, and what remains in the last."""
    return [x] if group is None else np.split(x, range(group, len(x) // group * group, group))


def _moments(x: NDArray[Any], channels: int) -> Moments:
    mean, m2 = np.empty(channels), np.empty(channels)
    get_backend().batch_norm_moments(mean, m2, x)
    return x.size // channels, mean, m2


def _channels(x: Buffer) -> int:
    return x.sample_shape[0]


def _inference(instruction: Instruction) -> Instruction:
    """Return what normalises with the running statistics in the place of ``instruction``, which takes the batch's."""
    names = OPERATIONS["batch_norm_inference"]
    arrays = {name: instruction.arrays[name] for name in names if name in instruction.arrays}
    scalars = {name: instruction.scalars[name] for name in names if name in instruction.scalars}
    return Instruction("batch_norm_inference", arrays, scalars, instruction.layer)


def _buffer(instruction: Instruction, name: str) -> Buffer:
    buffer = instruction.arrays[name]
    assert buffer is not None, "batch normalisation in a model has all of its arrays"
    return buffer
