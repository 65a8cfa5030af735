"""scikit-learn's MLPClassifier: the same layers without batch normalisation and dropout, which it does not have."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from tasks import L2, LEARNING_RATE, NETWORKS, STEPS, Job, learns
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from collections.abc import Callable


def start(threads: int) -> str:
    threadpool_limits(threads)
    return f"scikit-learn {sklearn.__version__}, {threads} threads of BLAS"


def step(name: str) -> Job:
    network = NETWORKS[name]
    x, y = network.data()
    model = MLPClassifier(
        network.hidden,
        alpha=L2 * network.batch,
        batch_size=network.batch,
        learning_rate_init=LEARNING_RATE,
        max_iter=1,
        warm_start=True,
        random_state=0,
    )

    def run() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x, y)

    return Job(run, STEPS, lambda: learns(model.loss_curve_[0], model.loss_curve_[-1]))


STEP_VARIANTS: dict[str, Callable[[str], Job]] = {"scikit-learn (no batch-norm, no dropout)": step}
OPERATIONS: dict[str, Callable[..., Job]] = {}
