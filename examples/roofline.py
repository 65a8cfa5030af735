"""The instructions of a training step under the roof of this machine, as one picture.

Run it with ``python examples/roofline.py [file.png]``; it takes a few seconds. A point far below the roof is an
instruction that neither multiply-adds nor bandwidth explain: a small one, or one that waits for another core. It prints
the median of how much of its own limit, in percent, an instruction reached, and the share of the step that the picture
shows: instructions that only move data, or take less than a thousandth of the time, are left out.
"""

import sys

import matplotlib as mpl
import numpy as np

import flyball
from flyball import layers, regularizers

mpl.use("Agg")
from matplotlib import pyplot as plt  # after the choice of a backend that needs no screen

BATCH = 128


def network(*sizes):
    """Dense + batch normalisation + ReLU + dropout on each hidden layer, softmax, Adam with L2."""
    penalty = regularizers.L2(5e-5)
    model = flyball.Sequential([layers.Input((sizes[0],))])
    for units in sizes[1:-1]:
        for layer in (layers.Dense(units, kernel_regularizer=penalty), layers.BatchNormalization(), layers.ReLU()):
            model.add(layer)
        model.add(layers.Dropout(0.5))
    model.add(layers.Dense(sizes[-1], activation="softmax", kernel_regularizer=penalty))
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


figure, axes = plt.subplots(figsize=(8, 5))
shown = []
for sizes, marker in (((64, 256, 256, 10), "o"), ((784, 512, 512, 10), "s")):
    profile = network(*sizes).profile(batch_size=BATCH, steps=200)
    lines = [line for line in profile.lines if line.operations > 0 and line.seconds > 0.001 * profile.seconds]
    intensity = np.array([line.operations / line.bytes for line in lines])
    reached = np.array([line.operations / line.seconds for line in lines])
    area = [2000 * line.seconds / profile.seconds for line in lines]
    points = axes.scatter(intensity, reached / 1e9, area, marker=marker, alpha=0.5, label="-".join(map(str, sizes)))
    longest = {line.instruction: i for i, line in sorted(enumerate(lines), key=lambda place: place[1].seconds)}
    for name, i in longest.items():
        label = {"fontsize": 6, "color": points.get_facecolor()[0], "alpha": 1.0}
        axes.annotate(name, (intensity[i], reached[i] / 1e9), (8, -2), textcoords="offset points", **label)
    roof = np.logspace(-1.5, 2.5, 100)
    limit = np.minimum(profile.limits.multiply_adds, roof * profile.limits.bandwidth)
    axes.plot(roof, limit / 1e9, color=points.get_facecolor()[0])
    shown += [(line.seconds / profile.seconds / 2, line.limit / line.seconds) for line in lines]
axes.set(xscale="log", yscale="log", xlabel="operations per byte", ylabel="GFLOP/s")
axes.set_title(f"Instructions of a step of {BATCH} rows, {flyball.get_num_threads()} threads; area: share of the time")
axes.legend(title="network", loc="upper left", markerscale=0.4)
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "roofline.png", dpi=120)
shares, limits = np.array(shown).T
print(f"of its limit: {100 * np.median(limits):.0f} %; of the step shown: {shares.sum():.3f}")
