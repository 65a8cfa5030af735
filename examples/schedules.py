"""Learning rates that fall: the schedules, and where they let training end.

Six schedules over the same number of steps, and the training loss of a network on handwritten digits under each, with
momentum at a learning rate that is too large to settle: where it stays constant the loss keeps jumping, and where it
falls the loss comes to rest.
"""

from _figure import Figures, digits, plt

import flyball
from flyball import layers, optimizers, schedules
from flyball.plotting import LearningCurveDisplay, ScheduleDisplay

RATE, BATCH = 0.3, 32

figures = Figures(__doc__)
x, y, x_test, y_test = digits(640)
epochs = 15 if figures.quick else 40
steps = epochs * len(x) // BATCH
kinds = {
    "constant": schedules.PiecewiseConstantDecay([], [RATE]),
    "steps": schedules.StepDecay(RATE, steps // 4, 0.3),
    "inverse time": schedules.InverseTimeDecay(RATE, steps / 10, 1.0),
    "cosine": schedules.CosineDecay(RATE, steps),
    "warm restarts": schedules.CosineDecayRestarts(RATE, -(-steps // 7)),
    "one cycle": schedules.OneCycle(RATE, steps),
}

figure, axes = plt.subplots(1, 2, figsize=(13, 4.8), layout="constrained")
ScheduleDisplay.from_schedule(kinds, steps).plot(axes[0])
histories = {}
for name, schedule in kinds.items():
    flyball.utils.set_random_seed(0)
    model = flyball.Sequential(
        [layers.Input((64,)), layers.Dense(64, "tanh"), layers.Dense(64, "tanh"), layers.Dense(10, "softmax")]
    )
    model.compile(optimizers.SGD(schedule, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    histories[name] = model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0)
    accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
    figures.say(**{f"{name}: last loss": histories[name].history["loss"][-1], f"{name}: test accuracy": accuracy})
LearningCurveDisplay.from_history(histories).plot(axes[1], metrics="loss")
figures.save(figure, "schedules")
