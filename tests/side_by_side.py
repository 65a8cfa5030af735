"""Long runs of tests in processes of their own, started together: one after the other they leave cores idle."""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

Result = TypeVar("Result")


@contextmanager
def side_by_side(
    request: pytest.FixtureRequest, fixture: str, parameters: tuple[str, ...], run: Callable[..., Result]
) -> Iterator[dict[tuple[str, ...], Future[Result]]]:
    """Yield the futures of ``run(*key)``, by key: the ``parameters`` of the selected tests that use ``fixture``."""
    items = [item for item in request.session.items if fixture in getattr(item, "fixturenames", ())]
    wanted = {tuple(item.callspec.params[name] for name in parameters) for item in items}
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        yield {key: pool.submit(run, *key) for key in sorted(wanted)}
    finally:
        pool.shutdown(cancel_futures=True)
