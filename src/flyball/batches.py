"""Data sets that make their batches themselves."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks
from flyball.data import as_array, require_same_length, step_bounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

__all__ = ["PyDataset", "TransformedBatches"]


class PyDataset:
    """Base of data sets that make their batches: define ``__getitem__`` and ``__len__``.

    ``dataset[i]`` is a whole batch, ``(x, y)`` or ``(x, y, sample_weight)``, and ``len(dataset)`` the number of
    batches. ``fit(dataset)`` takes them in another order each epoch, unless told ``shuffle=False``.

    Parameters
    ----------
    workers : int
        Threads that make batches ahead of training, which does not hold Python's lock; with 1 each batch is made when
        it is wanted.
    use_multiprocessing : bool
        Must be False: batches are made by threads.
    max_queue_size : int
        Batches that are made ahead at most.

    Attributes
    ----------
    epoch : int
        How many passes of training the model has begun before this one; set by ``fit``. What is random in the batches
        can be drawn from ``(seed, epoch, index)``: a run that is repeated or resumed then sees the same ones.

    Notes
    -----
    As ``keras.utils.PyDataset`` (also called ``Sequence``). A data set without an end defines ``num_batches`` as None,
    and needs ``steps_per_epoch``.
    """

    epoch: int = 0

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers = _checks.integer("workers", workers)
        if _checks.flag("use_multiprocessing", use_multiprocessing):
            _checks.refuse("use_multiprocessing", "False: batches are made by threads", True)
        self.max_queue_size = _checks.integer("max_queue_size", max_queue_size, 1)

    def __getitem__(self, index: int) -> Any:
        """Return batch ``index``."""
        raise NotImplementedError(_checks.lacks(self, "__getitem__"))

    def __iter__(self) -> Iterator[Any]:
        """Go through the batches, as they come."""
        count = self.num_batches
        return (self[i] for i in (itertools.count() if count is None else range(count)))

    @property
    def num_batches(self) -> int | None:
        """How many batches there are; None where there is no end."""
        return len(self) if hasattr(self, "__len__") else None

    def on_epoch_begin(self) -> None:
        """Run before an epoch of ``fit``."""

    def on_epoch_end(self) -> None:
        """Run after an epoch of ``fit``."""


class TransformedBatches(PyDataset):
    """Batches of arrays on which a function of a user's own acts: augmentation, noise, mixing, anything.

    Parameters
    ----------
    x, y : array
        Samples and their targets.
    batch_size : int
        Samples a batch; a last batch of one sample joins the batch before it.
    function : callable
        Called with ``(x, y, rng)``, the arrays of one batch, which it may change, and a ``numpy.random.Generator``;
        returns ``(x, y)`` or ``(x, y, sample_weight)``. With ``workers`` it is called in several threads.
    sample_weight : array, optional
        What each sample counts in the loss; the function is then called with ``(x, y, sample_weight, rng)``.
    shuffle : bool
        Whether each epoch puts other samples together.
    seed : int
        What order and ``rng`` are drawn from, with the epoch and the batch: the same run has the same batches, for any
        number of ``workers``.
    **options
        ``workers``, ``max_queue_size``: as of :class:`PyDataset`.

    Examples
    --------
    >>> def jitter(x, y, rng):
    ...     return x + rng.normal(0, 0.1, x.shape), y
    >>> batches = TransformedBatches(np.zeros((100, 3)), np.zeros(100), 32, jitter)
    >>> len(batches), batches[3][0].shape
    (4, (4, 3))
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        batch_size: int,
        function: Callable[..., Any],
        *,
        sample_weight: Any = None,
        shuffle: bool = True,
        seed: int = 0,
        **options: Any,
    ) -> None:
        _checks.no_more_arguments(
            "TransformedBatches",
            {name: value for name, value in options.items() if name not in ("workers", "max_queue_size")},
            ("x", "y", "batch_size", "function", "sample_weight", "shuffle", "seed", "workers", "max_queue_size"),
        )
        super().__init__(**options)
        names = ("x", "y") if sample_weight is None else ("x", "y", "sample_weight")
        self._arrays = [as_array(name, value) for name, value in zip(names, (x, y, sample_weight), strict=False)]
        if self._arrays[0].ndim == 0 or len(self._arrays[0]) == 0:
            _checks.refuse("x", "an array with at least one sample", x)
        for name, array in zip(names[1:], self._arrays[1:], strict=True):
            require_same_length(name, np.atleast_1d(array), "x", self._arrays[0])
        if not callable(function):
            _checks.refuse("function", "callable", function)
        self._function = function
        self._shuffle = _checks.flag("shuffle", shuffle)
        self._seed = _checks.integer("seed", seed)
        rows = len(self._arrays[0])
        self._bounds = step_bounds(rows, _checks.integer("batch_size", batch_size, 1), batch_statistics=True)
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.arange(rows))

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def __getitem__(self, index: int) -> Any:
        """Return batch ``index`` as the function makes it."""
        if not 0 <= index < len(self):
            msg = f"index must be in [0, {len(self)}), got {index}"
            raise IndexError(msg)
        rows = self._rows()[self._bounds[index] : self._bounds[index + 1]]
        rng = np.random.default_rng([self._seed, self.epoch, 1 + index])
        return self._function(*(array[rows] for array in self._arrays), rng)

    def _rows(self) -> NDArray[np.int64]:
        if not self._shuffle:
            return self._order[1]
        epoch, order = self._order
        if epoch != self.epoch:
            order = np.random.default_rng([self._seed, self.epoch, 0]).permutation(len(order))
            self._order = (self.epoch, order)
        return order
