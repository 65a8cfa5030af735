"""One run, watched and steered: back to an early epoch, a smaller learning rate, a penalty.

A network on handwritten digits starts at a learning rate that is too large. After 12 epochs somebody looks at the
curve, steps back to epoch 4 and goes on at a tenth of the rate; 8 epochs later a penalty is added. The same network is
drawn left alone, too. Here a script does what a person would in a notebook, or by writing ``go_back 4`` into a file.
"""

from _figure import Figures, digits, plain, plt

import flyball
from flyball import callbacks, layers, optimizers, regularizers

BLUE, RED = "#0072B2", "#D55E00"
RATE = 0.35

figures = Figures(__doc__)
x, y, x_test, y_test = digits(400)


def network():
    """Return a network at a learning rate that is too large."""
    flyball.utils.set_random_seed(1)
    flyball.utils.clear_session()
    hidden = [layers.Dense(128, "relu", kernel_initializer="he_normal") for _ in range(2)]
    model = flyball.Sequential([layers.Input((64,)), *hidden, layers.Dense(10, "softmax")])
    model.compile(optimizers.SGD(RATE, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def train(steer=None):
    """Return epoch and validation accuracy of all that was run, given up or not, and who steered."""
    model, seen = network(), []
    panda = callbacks.Steering(keep=20)

    def watch(epoch, logs):
        seen.append((epoch + 1, logs["val_accuracy"]))
        if steer is not None:
            steer(panda, len(seen))

    model.fit(
        x,
        y,
        epochs=40,
        validation_data=(x_test, y_test),
        verbose=0,
        callbacks=[panda, callbacks.LambdaCallback(on_epoch_end=watch)],
    )
    return seen, panda


def person(panda, looks):
    """Ask for what somebody who looks at the curve would ask for."""
    if looks == 12:
        panda.go_back(4)
        panda.learning_rate(RATE / 10)
    if looks == 20:
        panda.regularizer("dense", regularizers.L2(1e-3))
        panda.regularizer("dense_1", regularizers.L2(1e-3))


left_alone, _ = train()
seen, panda = train(person)
figure, ax = plt.subplots(figsize=(8, 4.6), layout="constrained")
given_up, kept = seen[:12], seen[:4] + seen[12:]
ax.plot(*zip(*left_alone, strict=True), color=BLUE, linewidth=2.2, label="left alone")
ax.plot(*zip(*given_up[3:], strict=True), "--", color=RED, linewidth=1.4, label="given up")
ax.plot(*zip(*kept, strict=True), color=RED, linewidth=2.2, label="steered")
for epoch, what in panda.done:
    print(f"after epoch {epoch}: {what}")
notes = {4: ("back to here,\na tenth of the rate", -60), 12: ("a penalty", -14)}
for epoch, (text, below) in notes.items():
    value = dict(kept)[epoch]
    ax.plot(epoch, value, "o", color=RED, markersize=8, markeredgecolor="white", zorder=5)
    ax.annotate(text, (epoch, value), xytext=(0, below), textcoords="offset points", va="top", ha="center", fontsize=9)
plain(ax, "Validation accuracy", "epoch")
ax.legend(frameon=False)
figures.say(
    **{
        "left alone: accuracy": left_alone[-1][1],
        "steered: accuracy": seen[-1][1],
        "accuracy given up": given_up[-1][1],
        "epochs run": len(seen),
        "last epoch": seen[-1][0],
    }
)
figures.save(figure, "panda")
