"""Callbacks: what ``fit`` calls at the beginnings and ends of training, of its epochs and of its steps."""

from flyball.callbacks.base import Callback, CallbackList
from flyball.callbacks.early_stopping import EarlyStopping
from flyball.callbacks.functions import LambdaCallback
from flyball.callbacks.history import History

__all__ = ["Callback", "CallbackList", "EarlyStopping", "History", "LambdaCallback"]
