"""Callbacks: what ``fit`` calls at the beginnings and ends of training, of its epochs and of its steps."""

from flyball.callbacks.averaging import SnapshotEnsemble, StochasticWeightAveraging, SwapEMAWeights
from flyball.callbacks.backup import BackupAndRestore
from flyball.callbacks.base import Callback, CallbackList
from flyball.callbacks.checkpoints import ModelCheckpoint
from flyball.callbacks.csv_logger import CSVLogger
from flyball.callbacks.early_stopping import EarlyStopping
from flyball.callbacks.functions import LambdaCallback
from flyball.callbacks.history import History
from flyball.callbacks.learning_rates import LearningRateScheduler, ReduceLROnPlateau
from flyball.callbacks.live_curve import LiveCurve
from flyball.callbacks.steering import Steering
from flyball.callbacks.tensorboard import TensorBoard
from flyball.callbacks.termination import DivergenceWarning, TerminateOnNaN

__all__ = [
    "BackupAndRestore", "CSVLogger", "Callback", "CallbackList", "DivergenceWarning", "EarlyStopping", "History",
    "LambdaCallback", "LearningRateScheduler", "LiveCurve", "ModelCheckpoint", "ReduceLROnPlateau", "SnapshotEnsemble",
    "Steering", "StochasticWeightAveraging", "SwapEMAWeights", "TensorBoard", "TerminateOnNaN",
]  # fmt: skip
