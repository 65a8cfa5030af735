"""Reading Keras' test files with stand-ins in the place of what they import."""

import contextlib
import importlib.util
import sys
import types
import unittest
from pathlib import Path

import pytest

from conformance.standins import optimizers as optimizers_standin
from conformance.standins import testing
from conformance.standins.backend import backend, dtype_policy, numerical_utils, ops, random, utils
from conformance.standins.metrics import metrics
from conformance.standins.models import layers, models
from flyball import activations, callbacks, constraints, initializers, losses, regularizers

QUANTIZERS = ("awq_config", "gptq_config", "quantization_config", "quantizers")
METRICS = ("accuracy", "confusion", "correlation", "f_score", "hinge", "iou", "reduction", "regression")


class Missing:
    """A name of Keras' that flyball does not have: tests that use it fail, and are listed with the reason."""

    def __init__(self, name):
        self._name = name

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Missing(f"{self._name}.{name}")

    def __call__(self, *args, **kwargs):
        msg = f"flyball has no {self._name}"
        raise NotImplementedError(msg)

    def __mro_entries__(self, bases):
        return ()


class Standin(types.ModuleType):
    """A module with the attributes of flyball's; others are missing, not errors of the import."""

    def __init__(self, name, *sources, **attributes):
        super().__init__(name)
        self.__path__ = []
        for source in sources:
            vars(self).update({k: getattr(source, k) for k in dir(source) if not k.startswith("__")})
        vars(self).update(attributes)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Missing(f"{self.__name__.removeprefix('keras.src.')}.{name}")


class _Mark:
    """``pytest.mark`` as Keras uses it: tests skipped on a backend that is none of Keras' are left out."""

    @staticmethod
    def skipif(condition, *, reason):
        return unittest.skipIf(condition, reason)

    def __getattr__(self, name):
        return lambda test: test


def _modules():
    sources = {
        "keras": [models],
        "keras.layers": [layers],
        "keras.ops": [ops],
        "keras.src": [],
        "keras.src.backend": [backend],
        "keras.src.backend.common.keras_tensor": [],
        "keras.src.callbacks": [callbacks],
        "keras.src.callbacks.callback": [callbacks],
        "keras.src.constraints": [constraints],
        "keras.src.dtype_policies": [],
        "keras.src.dtype_policies.dtype_policy": [dtype_policy],
        "keras.src.initializers": [initializers],
        "keras.src.initializers.random_initializers": [initializers],
        "keras.src.layers": [layers],
        "keras.src.layers.attention.multi_head_attention": [],
        **{
            f"keras.src.layers.activations.{name}": [layers]
            for name in ("elu", "leaky_relu", "prelu", "relu", "softmax")
        },
        "keras.src.activations": [activations],
        "keras.src.losses": [losses],
        "keras.src.losses.loss": [losses],
        "keras.src.losses.losses": [losses],
        "keras.src.metrics": [metrics],
        "keras.src.models": [models],
        "keras.src.models.sequential": [models],
        "keras.src.ops": [ops],
        "keras.src.regularizers": [regularizers],
        "keras.src.regularizers.regularizers": [regularizers],
        "keras.src.testing": [testing],
        "keras.src.testing.test_case": [testing],
        "keras.src.utils": [utils],
        "keras.src.utils.numerical_utils": [numerical_utils],
        **{f"keras.src.metrics.{name}_metrics": [metrics] for name in METRICS},
        "keras.src.metrics.metric": [metrics],
        "keras.random": [random],
        "keras.src.random": [random],
        "keras.src.export": [],
        "keras.src.quantizers": [],
        "keras.src.testing.test_utils": [testing.test_utils],
        "keras.src.trainers.data_adapters.py_dataset_adapter": [],
        "keras.src.utils.backend_utils": [],
        **{f"keras.src.quantizers.{name}": [] for name in QUANTIZERS},
        "keras.src.metrics.metrics_utils": [],
        "keras.src.saving": [],
    } | {name: [module] for name, module in optimizers_standin.modules.items()}
    modules = {name: Standin(name, *found) for name, found in sources.items()}
    parents = {name.rsplit(".", i)[0] for name in modules for i in range(name.count(".") + 1)}
    modules |= {name: Standin(name) for name in parents if name not in modules}
    for name, module in modules.items():
        if "." in name:
            parent, _, child = name.rpartition(".")
            setattr(modules[parent], child, module)
    modules["keras.src.backend"].random = backend.random
    modules["keras.src.saving"].register_keras_serializable = lambda **_: lambda item: item
    modules["conftest"] = Standin("conftest", skip_if_backend=lambda *args: lambda test: test)
    modules |= {name: Standin(name) for name in ("grain", "tensorflow")}
    modules["tensorflow"].data = Missing("tensorflow.data")
    modules["pytest"] = Standin("pytest", mark=_Mark(), raises=pytest.raises, skip=pytest.skip)
    return modules


MODULES = _modules()


@contextlib.contextmanager
def staged():
    """Put the stand-ins into the place of the modules they are called as."""
    kept = {name: module for name, module in sys.modules.items() if name in MODULES or name.split(".")[0] == "keras"}
    for name in kept:
        del sys.modules[name]
    sys.modules.update(MODULES)
    try:
        yield
    finally:
        for name in MODULES:
            del sys.modules[name]
        sys.modules.update(kept)


def source_directory():
    """Return where Keras' sources are, without importing them; None if it is not installed."""
    spec = importlib.util.find_spec("keras")
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / "src"


def cases_of(file):
    """Return the test cases of one of Keras' test files, by ``Class.method``."""
    path = source_directory() / file
    module = types.ModuleType(f"keras_{path.stem}")
    with staged():
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), vars(module))
    cases = {}
    for cls in vars(module).values():
        if isinstance(cls, type) and issubclass(cls, testing.TestCase) and cls.__module__ == module.__name__:
            for name in unittest.TestLoader().getTestCaseNames(cls):
                cases[f"{cls.__name__}.{name}"] = cls(name)
    return cases
