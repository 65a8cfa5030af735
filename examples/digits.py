"""A regularised network on scikit-learn's handwritten digits, in Keras' words.

Run it with ``python examples/digits.py``; it takes a few seconds.
"""

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import flyball
from flyball import callbacks, layers, regularizers

x, y = load_digits(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(x / 16, y, stratify=y, random_state=0)

flyball.utils.set_random_seed(0)
model = flyball.Sequential(
    [
        layers.Input((64,)),
        layers.Dense(256, kernel_regularizer=regularizers.L2(1e-4)),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Dropout(0.3),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(
    x_train,
    y_train,
    epochs=50,
    validation_split=0.2,
    callbacks=[callbacks.EarlyStopping(patience=10, restore_best_weights=True)],
)
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"test accuracy {accuracy:.3f}")
