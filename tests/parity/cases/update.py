"""Cases of the operations of ``flyball.backend.update``."""

import numpy as np

from parity.cases.table import operation
from parity.tolerances import SHORT

NONE = {"l1": 0.0, "l2": 0.0, "weight_decay": 0.0, "proximal": False, "clip_value": np.inf, "clip_penalty": False}
L2 = {**NONE, "l2": 0.02}  # without l1 and clipping native code takes another way
PENALTIES = {**NONE, "l1": 0.01, "l2": 0.02, "weight_decay": 0.1}
PROXIMAL = {**PENALTIES, "proximal": True, "l1": 0.3, "clip_value": 0.7}
CLIPPED = {**PENALTIES, "clip_value": 0.3}
CLIPPED_WITH_PENALTIES = {**CLIPPED, "clip_penalty": True}
# Options of all updates; the own ones of each stand with it.
COMMON = [
    {},
    {"penalties": L2, "scale": 0.4},
    {"penalties": PENALTIES, "total": False},
    {"penalties": PROXIMAL, "scale": 0.4},
    {"penalties": CLIPPED},
    {"penalties": CLIPPED_WITH_PENALTIES, "scale": 0.4, "total": False},
    {"penalties": {**PROXIMAL, "clip_penalty": True}, "scale": 0.4},
]


def arguments_of(state, own, optional=()):
    """Make the arguments of an update: ``state`` maps its arrays to kinds, ``own`` its scalars to values."""

    def arguments(make, rows, columns, penalties=NONE, total=True, scale=None, absent=optional, **options):
        count = rows * columns
        kinds = {
            "normal": make.normal,
            "positive": make.positive,
            "small": lambda n: make.positive(n) * make.dtype.type(0.4),
        }
        return {
            "w": make.normal(count),
            **{name: None if name in absent else kinds[kind](count) for name, kind in state.items()},
            "penalty": np.array([2.0]) if total else None,
            "g": make.normal(count),
            "gradient_scale": None if scale is None else np.array([scale]),
            **own,
            **options,
            **penalties,
        }

    return arguments


def penalised(w, penalty, g, gradient_scale, l1, l2, proximal, clip_value, clip_penalty, **_):
    """Return the gradient of the step, and the penalty."""
    added = (0.0 if proximal else l1) * np.sign(w) + l2 * w
    scale = 1.0 if gradient_scale is None else gradient_scale
    g = scale * (g + added) if clip_penalty else scale * g
    g = np.minimum(np.maximum(g, -clip_value), clip_value)
    return g if clip_penalty else g + added, {"penalty": penalty + np.sum(l1 * np.abs(w) + l2 / 2 * w**2)}


def moved(w, step, learning_rate, l1, weight_decay, proximal, **_):
    """Return the weights after the step."""
    w = w * (1 - learning_rate * weight_decay) + step
    return np.sign(w) * np.maximum(np.abs(w) - learning_rate * l1, 0.0) if proximal else w


def update(state, own, variants, optional=()):
    """Register ``step(g, state..., own...) -> step, new state`` as the oracle of the update of its name."""

    def register(step):
        names = set(step.__code__.co_varnames[: step.__code__.co_argcount])

        def oracle(**arguments):
            penalty = np.zeros(1) if arguments["penalty"] is None else arguments["penalty"]
            g, outputs = penalised(**{**arguments, "penalty": penalty})
            change, new = step(**{key: value for key, value in {**arguments, "g": g}.items() if key in names})
            return {**outputs, **new, "w": moved(step=change, **{k: v for k, v in arguments.items() if k != "step"})}

        oracle.__name__ = step.__name__
        register_oracle = operation(
            arguments_of(state, own, optional), [*COMMON, *variants], tolerance=SHORT, empty=[(0, 5)]
        )
        register_oracle(oracle)
        return step

    return register


@update(
    {"velocity": "normal"},
    {"learning_rate": 0.1, "momentum": 0.9, "nesterov": False},
    [{"absent": ("velocity",), "penalties": PENALTIES}, {"nesterov": True}, {"nesterov": True, "penalties": CLIPPED}],
)
def sgd_update(velocity, g, learning_rate, momentum, nesterov):
    step = -learning_rate * g
    if velocity is None:
        return step, {}
    velocity = momentum * velocity + step
    return momentum * velocity + step if nesterov else velocity, {"velocity": velocity}


def nadam(m, v, g, learning_rate, beta_1, beta_2, epsilon, step):
    def u(t):
        return beta_1 * (1 - 0.5 * 0.96**t)

    # Products as sums of logarithms: another way than either backend's.
    product = np.exp(sum(np.log(u(t)) for t in range(1, min(step, 10_000) + 1)))
    ahead = u(step + 1) / (1 - product * u(step + 1)) * m + (1 - u(step)) / (1 - product) * g
    return -learning_rate * ahead / (np.sqrt(v / (1 - beta_2**step)) + epsilon)


ADAM = {"learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "step": 3, "nesterov": False}


@update(
    {"m": "normal", "v": "positive", "v_max": "positive"},
    ADAM,
    [
        {"absent": ()},
        {"step": 1},
        {"step": 10**6},
        {"step": 10**15, "penalties": PENALTIES, "absent": ()},
        {"nesterov": True},
        {"nesterov": True, "step": 1, "penalties": PENALTIES},
        {"nesterov": True, "step": 1500, "beta_1": 0.999},
        {"nesterov": True, "step": 10**9},
    ],
    optional=("v_max",),
)
def adam_update(m, v, v_max, g, learning_rate, beta_1, beta_2, epsilon, step, nesterov):
    m = beta_1 * m + (1 - beta_1) * g
    v = beta_2 * v + (1 - beta_2) * g**2
    largest = v if v_max is None else np.maximum(v, v_max)
    if nesterov:
        change = nadam(m, largest, g, learning_rate, beta_1, beta_2, epsilon, step)
    else:
        rate = learning_rate * np.sqrt(1 - beta_2**step) / (1 - beta_1**step)
        change = -rate * m / (np.sqrt(largest) + epsilon)
    return change, {"m": m, "v": v} if v_max is None else {"m": m, "v": v, "v_max": largest}


@update(
    {"v": "positive", "m": "small", "velocity": "normal"},
    {"learning_rate": 0.01, "rho": 0.9, "momentum": 0.8, "epsilon": 1e-3, "epsilon_inside": True},
    [
        {"absent": ("velocity",)},
        {"absent": ("m",), "penalties": PENALTIES},
        {"absent": ()},
        {"absent": (), "epsilon_inside": False, "penalties": CLIPPED},
        {"epsilon_inside": False, "epsilon": 0.1},
    ],
    optional=("m", "velocity"),
)
def rmsprop_update(v, m, velocity, g, learning_rate, rho, momentum, epsilon, epsilon_inside):
    outputs = {"v": rho * v + (1 - rho) * g**2}
    spread = outputs["v"]
    if m is not None:
        outputs["m"] = rho * m + (1 - rho) * g
        spread = np.maximum(spread - outputs["m"] ** 2, 0.0)
    step = learning_rate * g / (np.sqrt(spread + epsilon) if epsilon_inside else np.sqrt(spread) + epsilon)
    if velocity is not None:
        outputs["velocity"] = momentum * velocity - step
        return outputs["velocity"], outputs
    return -step, outputs


@update(
    {"v": "positive"},
    {"learning_rate": 0.1, "epsilon": 1e-7, "epsilon_inside": True},
    [{"epsilon_inside": False, "epsilon": 0.1}],
)
def adagrad_update(v, g, learning_rate, epsilon, epsilon_inside):
    v = v + g**2
    return -learning_rate * g / (np.sqrt(v + epsilon) if epsilon_inside else np.sqrt(v) + epsilon), {"v": v}


@update(
    {"m": "normal", "u": "positive"},
    {name: value for name, value in ADAM.items() if name != "nesterov"},
    [{"step": 1}, {"step": 10**12}],
)
def adamax_update(m, u, g, learning_rate, beta_1, beta_2, epsilon, step):
    m = beta_1 * m + (1 - beta_1) * g
    u = np.maximum(beta_2 * u, np.abs(g))
    return -learning_rate / (1 - beta_1**step) * m / (u + epsilon), {"m": m, "u": u}


@update({"v": "positive", "d": "positive"}, {"learning_rate": 0.5, "rho": 0.95, "epsilon": 1e-6}, [])
def adadelta_update(v, d, g, learning_rate, rho, epsilon):
    v = rho * v + (1 - rho) * g**2
    step = -np.sqrt((d + epsilon) / (v + epsilon)) * g
    return learning_rate * step, {"v": v, "d": rho * d + (1 - rho) * step**2}


@update({"m": "normal"}, {"learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.99}, [])
def lion_update(m, g, learning_rate, beta_1, beta_2):
    step = -learning_rate * np.sign(beta_1 * m + (1 - beta_1) * g)
    return step, {"m": beta_2 * m + (1 - beta_2) * g}
