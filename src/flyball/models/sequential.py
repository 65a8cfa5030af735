"""Sequential: a stack of layers with Keras' ``compile``, ``fit``, ``evaluate`` and ``predict``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball import _checks
from flyball.models import copying
from flyball.models.inspection import Inspection
from flyball.models.on_batch import OnBatch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Sequential(OnBatch, Inspection):
    """A linear stack of layers.

    Parameters
    ----------
    layers : sequence of Layer, optional
        The layers, first to last; more can follow by :meth:`add`.
    trainable : bool
        Whether an optimizer may change the weights.
    name : str, optional
    dtype : {"float32", "float64"}
        Of parameters and arithmetic.

    Notes
    -----
    Names, arguments, defaults and semantics are those of ``keras.Sequential`` (Keras 3). The same seed gives the same
    bits for any number of threads, on the same build and instruction-set level.
    """

    def save(
        self, filepath: str | Path, overwrite: bool = True, *, include_optimizer: bool = True, **unknown: Any
    ) -> None:
        """Write the model to one file that :func:`flyball.load_model` reads; see :func:`flyball.saving.save_model`."""
        from flyball import saving

        _checks.no_more_arguments("save", unknown, Sequential.save)
        saving.save_model(self, filepath, overwrite=overwrite, include_optimizer=include_optimizer)

    def save_weights(self, filepath: str | Path, overwrite: bool = True, **unknown: Any) -> None:
        """Write the weights alone; see :func:`flyball.saving.save_weights`."""
        from flyball import saving

        _checks.no_more_arguments("save_weights", unknown, Sequential.save_weights)
        saving.save_weights(self, filepath, overwrite=overwrite)

    def load_weights(self, filepath: str | Path, skip_mismatch: bool = False, **unknown: Any) -> None:
        """Set the weights from a file; see :func:`flyball.saving.load_weights`."""
        from flyball import saving

        _checks.no_more_arguments("load_weights", unknown, Sequential.load_weights)
        saving.load_weights(self, filepath, skip_mismatch=skip_mismatch)

    def export(
        self,
        filepath: str | Path,
        format: str = "onnx",  # noqa: A002  # Keras' name
        verbose: bool | None = None,
        *,
        metadata: Mapping[str, str] | None = None,
        **unknown: Any,
    ) -> None:
        """Write the model for other runtimes, for inference; see :func:`flyball.onnx.export`.

        Parameters
        ----------
        filepath : path
            An existing file is replaced.
        format : {"onnx"}
            The file's format.
        verbose : bool, optional
            Whether to print where the file is.
        metadata : mapping of str to str, optional
            Notes of your own.
        **unknown
            Refused by name.
        """
        from flyball import onnx

        _checks.no_more_arguments("export", unknown, Sequential.export)
        _checks.choice("format", format, ("onnx",))
        onnx.export(self, filepath, metadata=metadata)
        if verbose:
            print(f"Saved artifact at '{filepath}'.")

    def __reduce__(self) -> Any:
        """Copy or pickle through the bytes of a file: a copy, shallow or deep, is a model of its own.

        It has the weights, the state of the training, the seed and the history; callbacks belong to the original.
        """
        return copying.made_of, copying.content_of(self)
