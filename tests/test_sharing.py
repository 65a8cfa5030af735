"""Several fits at once share the threads that are allowed, and train as they would alone."""

import threading
import time

import numpy as np

import flyball as fb
from flyball import _core, layers


def made(seed):
    fb.utils.set_random_seed(seed)
    model = fb.Sequential([layers.Input((32,)), layers.Dense(64), layers.BatchNormalization(), layers.ReLU()])
    model.add(layers.Dense(2))
    model.compile("adam", "mean_squared_error")
    return model


def fit(model):
    rng = np.random.default_rng(0)
    model.fit(rng.standard_normal((20_000, 32)), rng.standard_normal((20_000, 2)), 128, 8, verbose=0)


def test_concurrent_fits_stay_within_the_limit_and_give_the_same_bits():
    fb.set_num_threads(2)
    alone = []
    for seed in range(4):
        model = made(seed)
        fit(model)
        alone.append(model.fingerprint())
    models = [made(seed) for seed in range(4)]
    threads = [threading.Thread(target=fit, args=(model,)) for model in models]
    busy = []
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        busy.append(_core.build_info()["busy_threads"])
        time.sleep(0.002)
    assert max(busy) > 0
    assert max(busy) <= 2
    assert [model.fingerprint() for model in models] == alone
    assert _core.build_info()["busy_threads"] == 0


def test_a_fit_in_a_callback_of_another_is_not_shut_out():
    fb.set_num_threads(1)
    inner = made(1)
    outer = made(2)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((256, 32)), rng.standard_normal((256, 2))
    calls = []

    class Nested(fb.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            inner.fit(x, y, verbose=0)
            calls.append(epoch)

    outer.fit(x, y, epochs=2, verbose=0, callbacks=[Nested()])
    assert calls == [0, 1]
