"""Where batches come from: a data set of a user's own, a generator, a loader, or any other iterable."""

from __future__ import annotations

import itertools
import warnings
from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from flyball.batches import PyDataset
from flyball.training.steps import shuffled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future


def are_batches(x: Any, *, lists: bool = True) -> bool:
    """Whether ``x`` gives batches: it is no array or data frame, and can be iterated or indexed.

    A list is taken for batches only with ``lists``, and if its first item is a tuple of arrays.
    """
    if isinstance(x, (list, tuple)):
        first = x[0] if lists and x and isinstance(x, list) else None
        return isinstance(first, tuple) and len(first) > 0 and hasattr(first[0], "__len__")
    arrays = ("__array__", "__array_interface__", "columns", "column_names", "toarray")
    if isinstance(x, (str, bytes, Mapping)) or any(hasattr(x, name) for name in arrays):
        return False
    return isinstance(x, Iterable) or _is_indexed(x)


class BatchSource:
    """Gives the batches of one epoch after the other.

    What has a length and indices is taken in an order of its own each epoch; anything else is iterated. An iterator
    goes on where it was; other iterables begin anew each epoch, or, with ``steps``, where they end.

    Attributes
    ----------
    exhausted : bool
        Whether there will be no more batches.
    """

    def __init__(
        self, name: str, batches: Any, steps: int | None = None, *, steps_name: str = "steps_per_epoch", seed: int = 0
    ) -> None:
        self.batches = batches
        self.exhausted = False
        self._name, self._steps_name = name, steps_name
        self._asked = steps
        self.seed = seed
        self._indexed = _is_indexed(batches)
        self._once = hasattr(batches, "__next__")
        self._iterator: Iterator[tuple[int, Any]] | None = None
        self._begun = False
        if steps is None and self._indexed and _length(batches) is None:
            msg = f"{steps_name} must be given for batches without an end, got None"
            raise ValueError(msg)

    @property
    def steps(self) -> int | None:
        """Batches of an epoch, where that is known."""
        return _length(self.batches) if self._asked is None else self._asked

    def first(self) -> Any:
        """Return the first batch; the first epoch has it again."""
        if self._indexed:
            return self.batches[0]
        iterator = iter(self.batches)
        try:
            batch = next(iterator)
        except StopIteration:
            self._refuse_nothing()
        self._iterator = enumerate(itertools.chain([batch], iterator))
        return batch

    def epoch(self, number: int | None = None, *, shuffle: bool = False, skip: int = 0) -> Iterator[tuple[str, Any]]:
        """Yield what errors call a batch, and the batch.

        ``number`` is how many passes of training there were before this one, None outside training: what the order
        of batches is drawn from. The first ``skip`` batches are left out.
        """
        if self._iterator is None:
            self._tell(number)
        _call(self.batches, "on_epoch_begin")
        given = 0
        while self._asked is None or given < self._asked:
            if self._iterator is None:
                self._iterator, self._begun = self._begin(number, shuffle), self._begun and self._once
            try:
                place, batch = next(self._iterator)
            except StopIteration:
                self._iterator = None
                self.exhausted = self._once
                if not self._begun:
                    self._refuse_nothing()
                if given == 0 and not self._once:
                    continue  # the epoch before this one took the last batch
                self._warn(given)
                break
            self._begun = True
            given += 1
            if given > skip:
                yield f"{self._name}[{place}]", batch
        _call(self.batches, "on_epoch_end")

    def restart(self) -> None:
        """Let the next epoch begin at the first batch, unless this is an iterator; nothing is made ahead any longer."""
        if self._indexed and self._iterator is not None:
            self._iterator.close()  # type: ignore[attr-defined]  # a generator's
        if not self._once:
            self._iterator = None

    def _begin(self, number: int | None, shuffle: bool) -> Iterator[tuple[int, Any]]:
        if not self._indexed:
            return enumerate(self.batches)
        self._tell(number)
        length = _length(self.batches)
        order: Iterable[int] = itertools.count() if length is None else range(length)
        return _made(self.batches, shuffled(length, self.seed, number or 0).tolist() if shuffle and length else order)

    def _tell(self, number: int | None) -> None:
        if number is not None and isinstance(self.batches, PyDataset):  # training may be amid a pass of the same data
            self.batches.epoch = number

    def _warn(self, given: int) -> None:
        if self._asked is not None:
            msg = f"{self._name} must give {self._steps_name} = {self._asked} batches, got {given}: it ran out of data"
            if self._steps_name == "steps_per_epoch":
                msg += f", and {'training' if self.exhausted else 'the epoch'} ends here"
            warnings.warn(msg, UserWarning, stacklevel=4)

    def _refuse_nothing(self) -> NoReturn:
        msg = f"{self._name} must give at least one batch, got none"
        raise ValueError(msg)


def unpacked(name: str, batch: Any) -> tuple[Any, Any, Any]:
    """Return samples, targets and weights of a batch, None where it has none."""
    if not isinstance(batch, (tuple, list)):
        return batch, None, None
    if not 1 <= len(batch) <= 3:
        msg = f"{name} must be (x, y) or (x, y, sample_weight), got {len(batch)} items"
        raise ValueError(msg)
    x, y, weights = (*batch, None, None)[:3]
    return x, y, weights


def _made(dataset: Any, order: Iterable[int]) -> Iterator[tuple[int, Any]]:
    """Yield the items of ``dataset`` in ``order``, with their indices; where it has workers, threads work ahead."""
    workers = getattr(dataset, "workers", 1)
    if workers <= 1:
        for i in order:
            yield i, dataset[i]
        return
    from concurrent.futures import ThreadPoolExecutor  # brings logging along, which few imports of flyball need

    ahead: deque[tuple[int, Future[Any]]] = deque()
    pool = ThreadPoolExecutor(workers, "flyball-batches")
    try:
        for i in order:
            ahead.append((i, pool.submit(dataset.__getitem__, i)))
            if len(ahead) > getattr(dataset, "max_queue_size", 10):
                index, batch = ahead.popleft()
                yield index, batch.result()
        while ahead:
            index, batch = ahead.popleft()
            yield index, batch.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _is_indexed(batches: Any) -> bool:
    return hasattr(batches, "__getitem__") and (hasattr(batches, "__len__") or hasattr(batches, "num_batches"))


def _length(batches: Any) -> int | None:
    """Return the number of batches, where it is known."""
    if hasattr(batches, "num_batches"):
        count: int | None = batches.num_batches
        return count
    try:
        return len(batches)
    except TypeError:  # no length, or one that says it has none, as of a loader of an endless data set
        return None


def _call(batches: Any, hook: str) -> None:
    function = getattr(batches, hook, None)
    if callable(function):
        function()
