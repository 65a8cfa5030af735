"""Models, weights and training states in files: safetensors, with everything else as JSON in the file's header.

A file is written beside its place, flushed to the disk and renamed, so that a crash leaves the old file or the new one.
Loading checks everything before it changes anything, and never executes what it reads: classes come from the
registries of :mod:`flyball.layers` and its neighbours only.
"""

from flyball.saving.models import load_metadata, load_model, save_model
from flyball.saving.weights import load_weights, save_weights

__all__ = ["load_metadata", "load_model", "load_weights", "save_model", "save_weights"]
