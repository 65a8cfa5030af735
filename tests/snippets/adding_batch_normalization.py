import flyball as keras
from flyball import layers

after = keras.Sequential([
layers.Dense(16, activation='relu'),
layers.BatchNormalization(),
])
between = keras.Sequential([
layers.Dense(16),
layers.BatchNormalization(),
layers.Activation('relu'),
])
