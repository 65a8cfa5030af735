"""One training, watched and steered while it runs.

Its learning curve is drawn as it grows; it steps back to an earlier epoch and gets another learning rate and a penalty.
The training is in a thread of its own, as it would be beside a notebook; what follows it here would be its next cells.
`echo "go_back 5" >> steer.txt` in a shell does the same as `panda.go_back(5)`.
"""

import threading

import numpy as np
from sklearn.datasets import load_digits

import flyball
from flyball import callbacks, layers, regularizers

x, y = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(x))
x, y = x[order] / 16, y[order]

flyball.utils.set_random_seed(0)
model = flyball.Sequential(
    [
        layers.Input((64,)),
        layers.Dense(64, "relu", name="hidden"),
        layers.Dropout(0.3),
        layers.Dense(10, "softmax"),
    ]
)
model.compile(flyball.optimizers.Adam(0.03), "sparse_categorical_crossentropy", metrics=["accuracy"])

panda = callbacks.Steering("steer.txt", keep=10, verbose=1)
curve = callbacks.LiveCurve("panda.png")  # in a notebook it is shown as well
backup = callbacks.BackupAndRestore("panda-backup")  # killed and started again, the script goes on where it was
options = {"epochs": 30, "validation_split": 0.25, "verbose": 0, "callbacks": [panda, curve, backup]}
panda.pause()
training = threading.Thread(target=model.fit, args=(x, y), kwargs=options)
training.start()

panda.proceed(12)
panda.wait()
print(f"epoch {panda.epoch}: validation loss {panda.logs['val_loss']:.4f}")

# The learning rate is too large for the validation loss to go on falling. Back to epoch 5, and on from there with a
# tenth of it and a penalty.
panda.go_back(5)
panda.learning_rate(0.003)
panda.regularizer("hidden", regularizers.L2(1e-4))
panda.proceed(3)
panda.wait()
print(f"epoch {panda.epoch}: validation loss {panda.logs['val_loss']:.4f}")

panda.save("panda.safetensors")
panda.proceed()
training.join()

assert len(model.history.epoch) == 30
print(f"accuracy on what it was not trained on: {model.history.history['val_accuracy'][-1]:.3f}")
