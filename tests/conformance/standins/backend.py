"""``keras.src.backend``, ``ops`` and ``random`` over NumPy: what tests make their inputs with, and look at results."""

import types

import numpy as np

import flyball.utils
from flyball.program.nodes import Weight


class Variable(np.lib.mixins.NDArrayOperatorsMixin):
    """An array under a name, which an optimizer changes."""

    def __init__(self, value, dtype=None, name="variable", trainable=True):
        self.value = tensor(value, dtype)
        self.name = self.path = name
        self.trainable = trainable
        self.constraint = None

    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.value, dtype)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return getattr(ufunc, method)(*(x.value if isinstance(x, Variable) else x for x in inputs), **kwargs)

    def __float__(self):
        return float(self.value)

    def numpy(self):
        return self.value.copy()

    def assign(self, value):
        self.value = np.asarray(value, self.value.dtype)


class SeedGenerator:
    """Keras' source of seeds that move on, which flyball has none of."""


def tensor(value, dtype=None):
    """Return an array of Keras' default dtype for floats, unless another is named."""
    array = np.array(value, dtype)
    return array.astype(np.float32) if dtype is None and array.dtype == np.float64 else array


def numpy_of(x):
    """Return an array, or a layer's weight, as an array."""
    return np.asarray(x.value if isinstance(x, Weight) else x)


def standardize_dtype(dtype):
    """Name of a dtype. flyball's losses and metrics are sums in double precision, Keras' are of its default dtype."""
    name = np.dtype(dtype).name
    return "float32" if name == "float64" else name


backend = types.ModuleType("keras.src.backend")
vars(backend).update(
    SUPPORTS_RAGGED_TENSORS=False,
    SUPPORTS_SPARSE_TENSORS=False,
    Variable=Variable,
    backend=lambda: "flyball",
    config=types.SimpleNamespace(image_data_format=lambda: "channels_last"),
    convert_to_numpy=numpy_of,
    convert_to_tensor=tensor,
    epsilon=lambda: 1e-7,
    floatx=lambda: "float32",
    is_tensor=lambda x: isinstance(x, np.ndarray),
    numpy=np,
    random=types.SimpleNamespace(SeedGenerator=SeedGenerator),
    set_floatx=lambda dtype: None,
    shape=np.shape,
    standardize_dtype=standardize_dtype,
)

_AS_NUMPY = (
    *(
        "abs",
        "argmax",
        "clip",
        "concatenate",
        "expand_dims",
        "exp",
        "log",
        "max",
        "mean",
        "min",
        "multiply",
        "ones_like",
    ),
    *(
        "prod",
        "repeat",
        "reshape",
        "round",
        "shape",
        "size",
        "sort",
        "sqrt",
        "square",
        "squeeze",
        "stack",
        "std",
        "sum",
    ),
    *("subtract", "tile", "transpose", "var", "zeros_like"),
)


def of_tensors(make):
    """Return what makes an array as NumPy's ``make`` does, in Keras' default dtype."""
    return lambda *args, dtype=None, **options: tensor(make(*args, **options), dtype)


ops = types.ModuleType("keras.src.ops")
for _name in _AS_NUMPY:
    setattr(ops, _name, getattr(np, _name))
for _name in ("arange", "array", "eye", "full", "ones", "zeros"):
    setattr(ops, _name, of_tensors(getattr(np, _name)))
vars(ops).update(
    cast=lambda x, dtype: np.asarray(x).astype(dtype),
    convert_to_numpy=numpy_of,
    convert_to_tensor=tensor,
    one_hot=lambda labels, num_classes: tensor(np.eye(num_classes)[labels]),
    rsqrt=lambda x: 1.0 / np.sqrt(x),
)

ops.numpy = np

_numpys = np.random.mtrand._rand  # which is seeded for each case

random = types.ModuleType("keras.src.random")
vars(random).update(
    SeedGenerator=SeedGenerator,
    normal=lambda shape, mean=0.0, stddev=1.0, dtype=None, seed=None: tensor(_numpys.normal(mean, stddev, shape)),
    randint=lambda shape, minval, maxval, dtype="int32", seed=None: _numpys.randint(minval, maxval, shape, dtype),
    uniform=lambda shape, minval=0.0, maxval=1.0, dtype=None, seed=None: tensor(_numpys.uniform(minval, maxval, shape)),
)

utils = types.ModuleType("keras.src.utils")
utils.set_random_seed = flyball.utils.set_random_seed
numerical_utils = types.ModuleType("keras.src.utils.numerical_utils")
numerical_utils.to_categorical = lambda labels: np.eye(np.max(labels) + 1)[labels]

dtype_policy = types.ModuleType("keras.src.dtype_policies.dtype_policy")
vars(dtype_policy).update(dtype_policy=lambda: "float32", set_dtype_policy=lambda policy: None)
