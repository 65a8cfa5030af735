"""``keras.src.optimizers``: flyball's optimizers, which step variables as a model's Program does."""

import types

import numpy as np
from optimizer_step import Stepper

from flyball import optimizers
from flyball.program.nodes import Weight

CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")


class Average(np.ndarray):
    """An array that also answers as Keras' variables do."""

    def numpy(self):
        return np.array(self)


class Adapter:
    """Keras' interface of an optimizer by itself."""

    flyballs = optimizers.Optimizer

    def __init__(self, *args, **kwargs):
        self.own = self.flyballs(*args, **kwargs)
        self.stepper = None
        self.excluded = []
        self.stepped = []

    def __reduce__(self):
        return adapted, (self.own,)

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    def get_config(self):
        return self.own.get_config()

    def __getattr__(self, name):
        if name.startswith("__") or name == "own":
            raise AttributeError(name)
        return getattr(self.own, name)

    learning_rate = property(
        lambda self: self.own.learning_rate, lambda self, value: setattr(self.own, "learning_rate", value)
    )

    @property
    def variables(self):
        rate = (
            []
            if isinstance(self.own._learning_rate, optimizers.schedules.LearningRateSchedule)
            else [self.own.learning_rate]
        )
        slots = self.own.slots() if self.stepper else ()
        return [self.own.steps, *rate, *(self.stepper.memory.slot(name) for name in slots)]

    def exclude_from_weight_decay(self, var_list=(), var_names=()):
        self.excluded += [variable.name for variable in var_list if variable.name != "variable"] + list(var_names)
        self.excluded += [id(variable) for variable in var_list]

    def build(self, variables):
        self.stepped = list(variables)
        weights = [
            Weight(
                f"{variable.name}.{i}",
                variable.shape,
                None,
                decays=not {id(variable), variable.name} & set(self.excluded),
                projection=variable.constraint.projection(variable.shape) if variable.constraint else None,
            )
            for i, variable in enumerate(variables)
        ]
        dtype = variables[0].dtype if variables else "float32"
        self.stepper = Stepper(self.own, weights, [variable.value for variable in variables], dtype)

    def apply_gradients(self, gradients_and_variables):
        gradients, variables = zip(*gradients_and_variables, strict=True)
        if self.stepper is None:
            self.build(variables)
        self.stepper.step(*gradients)
        for variable, weight in zip(variables, self.stepper.weights, strict=True):
            variable.assign(weight.value)

    def _clip_gradients(self, gradients):
        # From zero, a step of size 1 against the gradient shows what is left of it.
        plain = optimizers.SGD(1.0, **{name: getattr(self.own, name) for name in CLIPS})
        weights = [Weight(f"w.{i}", gradient.shape, None) for i, gradient in enumerate(gradients)]
        stepper = Stepper(plain, weights, [0.0] * len(weights))
        stepper.step(*gradients)
        return [-weight.value for weight in weights]

    def trained(self, memory, weights):
        """Take over what a model has trained with this optimizer."""
        self.stepper = types.SimpleNamespace(memory=memory, weights=weights)

    @property
    def _iterations(self):
        return self.own.steps

    @property
    def _accumulated_gradients(self):
        """What the next steps are added to: nothing where an update has taken it."""
        memory = self.stepper.memory
        counts = float(self.own.steps % self.own.gradient_accumulation_steps > 0)
        return [counts * memory.view(memory.slot("accumulated"), weight) for weight in self.stepper.weights]

    @property
    def _model_variables_moving_average(self):
        memory = self.stepper.memory
        averages = [memory.view(memory.slot("average"), weight) for weight in self.stepper.weights]
        return [average.copy().view(Average) for average in averages]

    def finalize_variable_values(self, variables):
        for variable, average in zip(variables, self._model_variables_moving_average, strict=True):
            variable.assign(average)


ADAPTERS = {name: type(name, (Adapter,), {"flyballs": cls}) for name, cls in optimizers.REGISTRY.classes.items()}


def get(identifier):
    if isinstance(identifier, dict):  # Keras also takes a name in the place of a class
        names = {name.lower(): name for name in ADAPTERS}
        identifier = {**identifier, "class_name": names.get(identifier["class_name"], identifier["class_name"])}
    return adapted(optimizers.get(identifier))


def adapted(own):
    adapter = ADAPTERS[type(own).__name__]()
    adapter.own = own
    return adapter


modules = {"keras.src.optimizers": types.ModuleType("keras.src.optimizers")}
vars(modules["keras.src.optimizers"]).update(ADAPTERS, get=get, schedules=optimizers.schedules)
modules["keras.src.optimizers.schedules"] = optimizers.schedules
for _name, _adapter in ADAPTERS.items():
    _module = types.ModuleType(f"keras.src.optimizers.{_name.lower()}")
    setattr(_module, _name, _adapter)
    modules[_module.__name__] = _module
