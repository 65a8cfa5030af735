"""flyball: the fastest way to train a regularised neural network on a CPU."""

__version__ = "0.1.0"

import importlib as _importlib
import warnings as _warnings
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

try:
    from flyball import _core
except ImportError as _error:
    _message = f"flyball's native extension cannot be imported ({_error}); install flyball again: there is no fallback"
    raise ImportError(_message, name="flyball._core") from _error

from flyball import _checks, backend
from flyball import threads as _threads
from flyball._info import build_info
from flyball.backend import use_backend
from flyball.threads import get_num_threads, set_num_threads

if _TYPE_CHECKING:
    from flyball import (
        activations,
        callbacks,
        constraints,
        functional,
        initializers,
        inspect,
        layers,
        losses,
        metrics,
        models,
        onnx,
        optimizers,
        plotting,
        regularizers,
        saving,
        utils,
    )
    from flyball.layers import Input
    from flyball.models import Sequential
    from flyball.saving import load_model

__all__ = [
    "Input",
    "Sequential",
    "activations",
    "backend",
    "build_info",
    "callbacks",
    "constraints",
    "functional",
    "get_num_threads",
    "initializers",
    "inspect",
    "layers",
    "load_model",
    "losses",
    "metrics",
    "models",
    "onnx",
    "optimizers",
    "plotting",
    "regularizers",
    "saving",
    "set_num_threads",
    "use_backend",
    "utils",
]

if _core.level_warning():
    _warnings.warn(_core.level_warning(), RuntimeWarning, stacklevel=2)
set_num_threads(_threads.default_num_threads())


# Where a name of a module below stands.
_HOMES = {"Input": "layers", "Sequential": "models", "load_model": "saving"}


def __getattr__(name: str) -> _Any:
    # Loaded where they are used: who has a network of their own needs no models, and a model needs no plots.
    if name in _HOMES:
        globals()[name] = value = getattr(_importlib.import_module(f"flyball.{_HOMES[name]}"), name)
        return value
    if name in __all__:
        return _importlib.import_module(f"flyball.{name}")
    raise _checks.no_attribute(__name__, name, __all__)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
