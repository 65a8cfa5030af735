"""Callbacks: what ``fit`` calls at the beginnings and ends of training, of its epochs and of its steps."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from flyball import _checks
from flyball.callbacks.base import Callback, CallbackList
from flyball.callbacks.early_stopping import EarlyStopping
from flyball.callbacks.functions import LambdaCallback
from flyball.callbacks.history import History
from flyball.callbacks.learning_rates import LearningRateScheduler, ReduceLROnPlateau
from flyball.callbacks.termination import DivergenceWarning, TerminateOnNaN

if TYPE_CHECKING:
    from flyball.callbacks.averaging import SnapshotEnsemble, StochasticWeightAveraging, SwapEMAWeights
    from flyball.callbacks.backup import BackupAndRestore
    from flyball.callbacks.checkpoints import ModelCheckpoint
    from flyball.callbacks.csv_logger import CSVLogger
    from flyball.callbacks.live_curve import LiveCurve
    from flyball.callbacks.steering import Steering
    from flyball.callbacks.tensorboard import TensorBoard

__all__ = [
    "BackupAndRestore", "CSVLogger", "Callback", "CallbackList", "DivergenceWarning", "EarlyStopping", "History",
    "LambdaCallback", "LearningRateScheduler", "LiveCurve", "ModelCheckpoint", "ReduceLROnPlateau", "SnapshotEnsemble",
    "Steering", "StochasticWeightAveraging", "SwapEMAWeights", "TensorBoard", "TerminateOnNaN",
]  # fmt: skip

_MODULES = {
    "BackupAndRestore": "backup",
    "CSVLogger": "csv_logger",
    "LiveCurve": "live_curve",
    "ModelCheckpoint": "checkpoints",
    "SnapshotEnsemble": "averaging",
    "Steering": "steering",
    "StochasticWeightAveraging": "averaging",
    "SwapEMAWeights": "averaging",
    "TensorBoard": "tensorboard",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:  # they bring files, threads and pictures along, which most trainings need nothing of
        return getattr(import_module(f"flyball.callbacks.{_MODULES[name]}"), name)
    raise _checks.no_attribute(__name__, name, __all__)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
