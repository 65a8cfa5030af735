# What the operations do is said in flyball.backend.Backend.
from collections.abc import Sequence
from typing import Any, TypedDict

from numpy.typing import NDArray

from flyball.backend.types import Bools, Bytes, Doubles, Floats, Integers

class BuildInfo(TypedDict):
    version: str
    compiler: str
    levels: list[str]
    detected_level: str
    active_level: str
    team: str
    threads: int

class Program:
    def __init__(
        self,
        buffers: Sequence[tuple[NDArray[Any], int]],
        instructions: Sequence[tuple[str, Sequence[int], Sequence[Any]]],
    ) -> None: ...
    def bind(self, index: int, array: NDArray[Any]) -> None: ...
    def runner(self) -> object: ...

name: str

def build_info() -> BuildInfo: ...
def level_warning() -> str: ...
def set_level(level: str) -> None: ...
def get_num_threads() -> int: ...
def set_num_threads(threads: int) -> None: ...
def matmul(
    c: Floats,
    a: Floats,
    b: Floats,
    bias: Floats | None,
    transpose_a: bool,
    transpose_b: bool,
    activation: str,
    alpha: float,
) -> None: ...
def dense_forward(y: Floats, x: Floats, w: Floats, b: Floats | None, activation: str, alpha: float) -> None: ...
def dense_backward(
    dx: Floats | None, dw: Floats | None, db: Floats | None, dy: Floats, x: Floats, w: Floats
) -> None: ...
def batch_norm_forward(
    y: Floats,
    mean: Doubles,
    rstd: Doubles,
    running_mean: Floats | None,
    running_var: Floats | None,
    x: Floats,
    gamma: Floats | None,
    beta: Floats | None,
    mask: Bools | None,
    momentum: float,
    epsilon: float,
    unbiased: bool,
    activation: str,
    rate: float,
) -> None: ...
def batch_norm_backward(
    dx: Floats | None,
    dgamma: Floats | None,
    dbeta: Floats | None,
    dy: Floats,
    y: Floats,
    x: Floats,
    gamma: Floats | None,
    beta: Floats | None,
    mean: Doubles,
    rstd: Doubles,
    mask: Bools | None,
    activation: str,
    rate: float,
) -> None: ...
def batch_norm_inference(
    y: Floats,
    x: Floats,
    gamma: Floats | None,
    beta: Floats | None,
    running_mean: Floats,
    running_var: Floats,
    epsilon: float,
    activation: str,
) -> None: ...
def dropout_mask(mask: Bools | Bytes, rate: float, seed: int, stream: int, step: int) -> None: ...
def dropout_forward(
    y: Floats,
    mask: Bools | Bytes | None,
    x: Floats,
    rate: float,
    seed: int,
    stream: int,
    step: int,
    draw: bool,
    scale: float,
) -> None: ...
def dropout_backward(
    dx: Floats,
    dy: Floats,
    mask: Bools | Bytes | None,
    rate: float,
    seed: int,
    stream: int,
    step: int,
    scale: float,
) -> None: ...
def dropout_inference(y: Floats, x: Floats, rate: float) -> None: ...
def alpha_dropout_forward(
    y: Floats, mask: Bools | Bytes | None, x: Floats, rate: float, seed: int, stream: int, step: int, draw: bool
) -> None: ...
def alpha_dropout_backward(
    dx: Floats, dy: Floats, mask: Bools | Bytes | None, rate: float, seed: int, stream: int, step: int
) -> None: ...
def activation_forward(y: Floats, x: Floats, activation: str, alpha: float) -> None: ...
def activation_backward(
    dx: Floats, dy: Floats, x: Floats | None, y: Floats | None, activation: str, alpha: float
) -> None: ...
def softmax_forward(y: Floats, x: Floats) -> None: ...
def softmax_backward(dx: Floats, dy: Floats, y: Floats) -> None: ...
def softmax_cross_entropy(
    losses: Doubles, hits: Doubles | None, dlogits: Floats | None, logits: Floats, labels: Integers, scale: float
) -> None: ...
def softmax_cross_entropy_soft(
    losses: Doubles, hits: Doubles | None, dlogits: Floats | None, logits: Floats, targets: Floats, scale: float
) -> None: ...
def mean_squared_error(
    losses: Doubles, dpredictions: Floats | None, predictions: Floats, targets: Floats, scale: float
) -> None: ...
def sgd_update(
    w: Floats,
    velocity: Floats | None,
    penalty: Doubles | None,
    g: Floats,
    learning_rate: float,
    momentum: float,
    nesterov: bool,
    l1: float,
    l2: float,
    weight_decay: float,
) -> None: ...
def adam_update(
    w: Floats,
    m: Floats,
    v: Floats,
    penalty: Doubles | None,
    g: Floats,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    step: int,
    l1: float,
    l2: float,
    weight_decay: float,
) -> None: ...
def gather_labels(out: Integers, labels: Integers, rows: Integers) -> None: ...
def gather(out: Floats, x: NDArray[Any], rows: Integers) -> None: ...
def add_total(total: Doubles, values: Doubles) -> None: ...
