"""``keras.src.metrics``: flyball's, with their sums under Keras' name for them."""

import inspect
import types

import numpy as np

from flyball import metrics as own


class Variables:
    """A metric that lists its sums, and takes Keras' dtype: flyball's sums are of double precision."""

    def __init__(self, *args, dtype=None, **arguments):
        super().__init__(*args, **arguments)
        self.dtype = self._dtype = dtype or "float32"

    def __getattr__(self, name):
        if name in type(self).sums:
            return np.atleast_1d(self.state[name])
        raise AttributeError(name)

    @property
    def variables(self):
        return [Sum(self.state[name]).named(name) for name in self.sums]


class Sum(np.ndarray):
    """An array with a name."""

    def __new__(cls, value):
        return np.array(value, np.float32).view(cls)

    def named(self, name):
        self.name = name
        return self


metrics = types.ModuleType("keras.src.metrics")
for _name in own.__all__:
    _value = getattr(own, _name)
    _is_metric = isinstance(_value, type) and issubclass(_value, own.Metric) and _value is not own.Metric
    if _is_metric:
        _value = type(_name, (Variables, _value), {"__signature__": inspect.signature(_value)})
    setattr(metrics, _name, _value)


def get(identifier):
    """Return Keras' interface of what flyball finds."""
    found = own.get(identifier)
    return getattr(metrics, type(found).__name__).from_config(found.get_config())


metrics.get = get
