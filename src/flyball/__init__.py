"""flyball: the fastest way to train a regularised neural network on a CPU."""

__version__ = "0.1.0"
