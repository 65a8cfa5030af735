"""An optimizer's step by itself: a Program that is nothing but the update."""

from __future__ import annotations

import numpy as np

from flyball.program.lowering import Lowering
from flyball.program.memory import Memory
from flyball.program.requests import Data
from flyball.program.runners import Steps, runner


class Stepper:
    """Parameter arrays, and the steps that ``optimizer`` does with gradients that are given."""

    def __init__(self, optimizer, weights, values, dtype="float64"):
        self.optimizer = optimizer
        self.weights = weights
        self.memory = Memory(weights, np.dtype(dtype))
        for weight, value in zip(weights, values, strict=True):
            weight.value[...] = value
        data = Data(np.zeros((1, 1)), None, np.zeros(1, np.int64))
        lowering = Lowering([], self.memory, data, 1, training=True)
        lowering.update(optimizer.update())
        self.program = lowering.program
        self.runner = runner(self.program)

    def step(self, *gradients):
        for weight, gradient in zip(self.weights, gradients, strict=True):
            self.memory.gradient(weight)[...] = gradient
        rates = self.optimizer.learning_rates(1)
        self.runner.run(Steps(np.array([0, 1]), rates, self.optimizer.steps))
        self.optimizer.steps += 1
