"""What a model shows of itself: the Program it is compiled to, where its time goes, and where a run stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks
from flyball.data import DEFAULT_BATCH_SIZE, as_samples
from flyball.models.fitting import Fitting
from flyball.training import Trainer, layer_outputs, require_batches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flyball.program.listing import Listing
    from flyball.program.profile import Profile


class Inspection(Fitting):
    """A model that can be looked into."""

    def program(self, x: Any = None, y: Any = None, batch_size: int | None = None) -> Listing:
        """Return what a step of training is compiled to: the layers' nodes, and the instructions they became.

        Parameters
        ----------
        x, y : array, optional
            As for :meth:`fit`; without them the dtypes that :meth:`fit` would not have to convert.
        batch_size : int, optional
            32 by default.

        Returns
        -------
        Listing
            Print it. It says for each instruction what it reads and writes, its floating-point operations and the
            bytes it has to move, and for each buffer its size.
        """
        from flyball.program.listing import listing

        return listing(self._nodes(), self._trainer(x, y, batch_size).program, self._rows(batch_size))

    def profile(self, x: Any = None, y: Any = None, batch_size: int | None = None, *, steps: int = 50) -> Profile:
        """Return where the time of a training step goes, instruction by instruction, and what bounds each.

        The model is as before afterwards.

        Parameters
        ----------
        x, y : array, optional
            As for :meth:`fit`; without them random numbers.
        batch_size : int, optional
            32 by default.
        steps : int
            Batches to run; the profile has the median of each instruction.

        Returns
        -------
        Profile
            Print it, or read its ``lines``. An instruction is bound by ``compute`` (the machine's multiply-adds, which
            are measured on the way), by ``cache`` or ``memory`` (its bandwidth, measured too), or by ``overhead`` where
            it takes over three times what either allows.
        """
        steps = _checks.integer("steps", steps, 1)
        return self._trainer(x, y, batch_size).profile(steps)

    def activations(self, x: Any, *, training: bool = False) -> dict[str, NDArray[Any]]:
        """Return what each layer puts out for ``x``: arrays (samples, ...) by the layers' names.

        The model is as before afterwards. :func:`flyball.inspect.activation_statistics` sums them up.

        Parameters
        ----------
        x : array (samples, ...)
            As for :meth:`predict`; taken as one batch, whose outputs of all layers are held at once.
        training : bool
            Whether layers behave as in training: batch normalisation with the batch's statistics, dropout and noise
            drawn as in a first step.
        """
        training = _checks.flag("training", training)
        samples = as_samples("x", x, self._input_shape)
        if not self.built:
            self.build(samples.shape[1:])
        memory = self._require_built()
        if training:
            require_batches(self._nodes(), {"rows of x": len(samples)})
        return layer_outputs(self.layers, memory, samples, training=training, seed=self._seed)

    def fingerprint(self) -> str:
        """Return the SHA-256 of all that training has changed, as a hexadecimal text.

        Parameters, running statistics, optimiser state, step and epoch counts: two runs with the same fingerprint are
        at the same point, bit for bit, whatever their layers are called. The same seed, data and settings give the
        same fingerprint for any number of threads, for repeated runs, for a run that was resumed and for memory-mapped
        data, on the same build and instruction-set level (``flyball.build_info()``).
        """
        import hashlib  # brings OpenSSL along, which few imports of flyball need

        memory = self._require_built()
        digest = hashlib.sha256()
        for weight in self.weights:
            digest.update(f"{weight.shape}{weight.value.dtype}".encode())
            digest.update(weight.value.tobytes())
        steps = 0 if self.optimizer is None else self.optimizer.steps
        for name in sorted(memory.slots):
            digest.update(name.encode())
            for weight in memory.parameter_weights():
                digest.update(memory.state_of(name, weight).tobytes())
        digest.update(f"{steps},{self._epochs}".encode())
        return digest.hexdigest()

    def _rows(self, batch_size: int | None) -> int:
        return DEFAULT_BATCH_SIZE if batch_size is None else _checks.integer("batch_size", batch_size, 1)

    def _trainer(self, x: Any, y: Any, batch_size: int | None) -> Trainer:
        """Return what :meth:`fit` would train with; without data, on random numbers that fill one batch."""
        loss, optimizer = self._require_compiled()
        rows = self._rows(batch_size)
        if x is None:
            self._require_built()
            x = np.random.default_rng(0).standard_normal((rows, *(self._input_shape or ()))).astype(self.dtype)
        if y is None:
            y = loss.sample_targets(len(x), self.layers[-1].output_shape or (), self.dtype)
        data = self._data_set(x, y)
        return Trainer(self._nodes(), self._require_built(), self._goal(), optimizer, data, rows, self._seed)
