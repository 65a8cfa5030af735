"""Kill a training at random moments, start it again, and print the fingerprints that it ends with.

Usage: python killed_runs.py FOLDER KILLS SAVE_FREQ. Children are forked, so that one starts in milliseconds; each is a
process of its own, which SIGKILL gives no time for anything. The first line is of the run that was not killed; the
others end with the number of entries that are left in the folder.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np

import flyball
from flyball import callbacks, layers

EPOCHS = 25


def train(folder: Path, save_freq: str | int, out: Path) -> None:
    """Train from the backup in ``folder``, if there is one, and write the fingerprint."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 5))
    y = (x[:, 0] > 0).astype(int)
    if not (folder / "latest.safetensors").exists():  # a run that goes on must not need the seed
        flyball.utils.set_random_seed(1)
    stack = [flyball.Input((5,)), layers.Dense(6), layers.BatchNormalization(), layers.Dropout(0.2)]
    model = flyball.Sequential([*stack, layers.Dense(2, "softmax")])
    model.compile(flyball.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    rate = callbacks.ReduceLROnPlateau("loss", patience=2, factor=0.7)
    backup = callbacks.BackupAndRestore(folder, save_freq)
    history = model.fit(x, y, 16, epochs=EPOCHS, verbose=0, callbacks=[backup, rate])
    text = f"{model.fingerprint()} {sum(history.history['loss'])!r} {history.epoch == list(range(EPOCHS))}"
    out.write_text(text)


def child(folder: Path, save_freq: str | int, out: Path) -> int:
    """Train in a process of its own; return its number."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            train(folder, save_freq, out)
            status = 0
        finally:
            os._exit(status)
    return pid


def main() -> None:
    folder, kills = Path(sys.argv[1]), int(sys.argv[2])
    save_freq = "epoch" if sys.argv[3] == "epoch" else int(sys.argv[3])
    out, random_times = folder / "out", random.Random(0)
    began = time.perf_counter()
    os.waitpid(child(folder / "whole", save_freq, out), 0)
    duration = time.perf_counter() - began
    print(out.read_text())
    killed, attempts = 0, 0
    while killed < kills and attempts < 20 * kills:
        attempts += 1
        backup = folder / str(attempts)
        pid = child(backup, save_freq, out)
        time.sleep(random_times.uniform(0, duration))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSIGNALED(status):  # it was faster; if the first run met a busy machine, most are
            duration *= 0.95
            continue
        killed += 1
        out.unlink(missing_ok=True)
        os.waitpid(child(backup, save_freq, out), 0)
        print(out.read_text(), len(list(backup.iterdir())) if backup.exists() else 0)


if __name__ == "__main__":
    main()
