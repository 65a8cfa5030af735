# What the operations do is said in flyball.backend.Backend.
from collections.abc import Sequence
from typing import Any, TypedDict

from numpy import dtype as Dtype
from numpy.typing import NDArray

from flyball.backend.types import Bools, Bytes, Doubles, Floats, Integers

class BuildInfo(TypedDict):
    version: str
    compiler: str
    levels: list[str]
    detected_level: str
    active_level: str
    second_level_bytes: int
    team: str
    threads: int
    busy_threads: int

class Program:
    def __init__(
        self,
        buffers: Sequence[tuple[NDArray[Any], int, int]],
        instructions: Sequence[tuple[str, Sequence[int], Sequence[Any], tuple[int, int, int], int]],
        steps_per_update: int,
        batch_rows: int,
    ) -> None: ...
    def bind(self, index: int, array: NDArray[Any]) -> None: ...
    def profile(self, bounds: Integers, learning_rates: Doubles, first: int) -> Doubles: ...
    def threads(self, rows: int) -> int: ...
    def predicted_seconds(self, threads: int, rows: int) -> float: ...
    def runner(self) -> object: ...

class Exchange:
    def __init__(
        self,
        program: Program,
        x: Sequence[int],
        out: Sequence[int],
        dtype: Dtype[Any],
        out_dtype: Dtype[Any],
        sample_shape: Sequence[int],
        shape: Sequence[int],
    ) -> None: ...
    def __call__(self, x: object) -> NDArray[Any] | None: ...

class Calm:
    def __init__(self) -> None: ...

class Pace:
    def __init__(self, calm: Calm) -> None: ...
    def threads(self, wanted: int) -> int: ...
    def slice(self, seconds: float) -> float: ...
    def note(self, one: bool, rows: int, seconds: float, predicted: float) -> None: ...

name: str

def build_info() -> BuildInfo: ...
def level_warning() -> str: ...
def set_level(level: str) -> None: ...
def set_second_level_bytes(size: int) -> None: ...
def get_num_threads() -> int: ...
def set_num_threads(threads: int) -> None: ...
def measure_multiply_adds(dtype: str, threads: int, trials: int = 25) -> float: ...
def measure_bandwidth(threads: int, size: int) -> float: ...
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
def dense_forward(
    y: Floats, x: Floats, w: Floats, b: Floats | None, added: Floats | None, activation: str, alpha: float
) -> None: ...
def dense_batch_norm_inference(
    y: Floats,
    x: Floats,
    w: Floats,
    b: Floats | None,
    gamma: Floats | None,
    beta: Floats | None,
    running_mean: Floats,
    running_var: Floats,
    epsilon: float,
    activation: str,
    alpha: float,
) -> None: ...
def dense_backward(
    dx: Floats | None, dw: Floats | None, db: Floats | None, dy: Floats, x: Floats, w: Floats, gated: bool
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
    x: Floats,
    gamma: Floats | None,
    beta: Floats | None,
    mean: Doubles,
    rstd: Doubles,
    mask: Bools | None,
    activation: str,
    rate: float,
) -> None: ...
def ghost_batch_norm_forward(
    y: Floats,
    mean: Doubles,
    rstd: Doubles,
    running_mean: Floats | None,
    running_var: Floats | None,
    x: Floats,
    gamma: Floats | None,
    beta: Floats | None,
    mask: Bools | None,
    group: int,
    momentum: float,
    epsilon: float,
    unbiased: bool,
    activation: str,
    rate: float,
) -> None: ...
def ghost_batch_norm_backward(
    dx: Floats | None,
    dgamma: Floats | None,
    dbeta: Floats | None,
    dy: Floats,
    x: Floats,
    gamma: Floats | None,
    beta: Floats | None,
    mean: Doubles,
    rstd: Doubles,
    mask: Bools | None,
    group: int,
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
def batch_norm_moments(
    mean: Doubles,
    m2: Doubles,
    x: Floats,
) -> None: ...
def combine_moments(
    mean: Doubles,
    m2: Doubles,
    means: Doubles,
    m2s: Doubles,
    counts: Integers,
) -> None: ...
def batch_norm_statistics(
    rstd: Doubles,
    running_mean: Floats | None,
    running_var: Floats | None,
    mean: Doubles,
    m2: Doubles,
    count: int,
    momentum: float,
    epsilon: float,
    unbiased: bool,
) -> None: ...
def batch_norm_apply(
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
def batch_norm_backward_sums(
    sum_dz: Doubles,
    sum_dz_xhat: Doubles,
    dy: Floats,
    x: Floats,
    gamma: Floats | None,
    beta: Floats | None,
    mean: Doubles,
    rstd: Doubles,
    mask: Bools | None,
    activation: str,
    rate: float,
) -> None: ...
def batch_norm_backward_apply(
    dx: Floats,
    dy: Floats,
    x: Floats,
    gamma: Floats | None,
    beta: Floats | None,
    mean: Doubles,
    rstd: Doubles,
    sum_dz: Doubles,
    sum_dz_xhat: Doubles,
    mask: Bools | None,
    count: int,
    activation: str,
    rate: float,
) -> None: ...
def layer_norm_forward(
    y: Floats,
    mean: Doubles,
    rstd: Doubles,
    x: Floats,
    gamma: Floats | None,
    beta: Floats | None,
    epsilon: float,
) -> None: ...
def layer_norm_backward(
    dx: Floats | None,
    dgamma: Floats | None,
    dbeta: Floats | None,
    dy: Floats,
    x: Floats,
    gamma: Floats | None,
    mean: Doubles,
    rstd: Doubles,
) -> None: ...
def rms_norm_forward(
    y: Floats,
    rstd: Doubles,
    x: Floats,
    gamma: Floats | None,
    epsilon: float,
) -> None: ...
def rms_norm_backward(
    dx: Floats | None,
    dgamma: Floats | None,
    dy: Floats,
    x: Floats,
    gamma: Floats | None,
    rstd: Doubles,
) -> None: ...
def group_norm_forward(
    y: Floats,
    mean: Doubles,
    rstd: Doubles,
    x: Floats,
    gamma: Floats | None,
    beta: Floats | None,
    channels_last: bool,
    epsilon: float,
) -> None: ...
def group_norm_backward(
    dx: Floats | None,
    dgamma: Floats | None,
    dbeta: Floats | None,
    dy: Floats,
    x: Floats,
    gamma: Floats | None,
    mean: Doubles,
    rstd: Doubles,
    channels_last: bool,
) -> None: ...
def dropout_mask(mask: Bools | Bytes, rate: float, seed: int, stream: int, step: int) -> None: ...
def dropout_mask_columns(
    mask: Bools, rate: float, seed: int, stream: int, step: int, width: int, first: int
) -> None: ...
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
def add_branch(y: Floats, x: Floats, branch: Floats, mask: Bools | None, scale: float) -> None: ...
def alpha_dropout_forward(
    y: Floats, mask: Bools | Bytes | None, x: Floats, rate: float, seed: int, stream: int, step: int, draw: bool
) -> None: ...
def alpha_dropout_backward(
    dx: Floats, dy: Floats, mask: Bools | Bytes | None, rate: float, seed: int, stream: int, step: int
) -> None: ...
def random_uniform(out: Floats, low: float, high: float, seed: int, stream: int, step: int) -> None: ...
def random_normal(out: Floats, mean: float, std: float, seed: int, stream: int, step: int) -> None: ...
def random_truncated_normal(
    out: Floats, mean: float, std: float, bound: float, seed: int, stream: int, step: int
) -> None: ...
def random_integers(out: Integers, low: int, high: int, seed: int, stream: int, step: int) -> None: ...
def random_permutation(out: Integers, seed: int, stream: int, step: int) -> None: ...
def gaussian_noise_forward(y: Floats, x: Floats, std: float, seed: int, stream: int, step: int) -> None: ...
def gaussian_dropout_forward(y: Floats, x: Floats, rate: float, seed: int, stream: int, step: int) -> None: ...
def gaussian_dropout_backward(dx: Floats, dy: Floats, rate: float, seed: int, stream: int, step: int) -> None: ...
def activation_forward(y: Floats, x: Floats, activation: str, alpha: float) -> None: ...
def activation_backward(
    dx: Floats, dy: Floats, x: Floats | None, y: Floats | None, activation: str, alpha: float
) -> None: ...
def relu_forward(y: Floats, x: Floats, negative_slope: float, threshold: float, max_value: float) -> None: ...
def relu_backward(
    dx: Floats, dy: Floats, x: Floats, negative_slope: float, threshold: float, max_value: float
) -> None: ...
def prelu_forward(y: Floats, x: Floats, alpha: Floats) -> None: ...
def prelu_backward(dx: Floats | None, dalpha: Floats | None, dy: Floats, x: Floats, alpha: Floats) -> None: ...
def softmax_forward(y: Floats, x: Floats) -> None: ...
def softmax_backward(dx: Floats, dy: Floats, y: Floats) -> None: ...
def log_softmax_forward(y: Floats, x: Floats) -> None: ...
def log_softmax_backward(dx: Floats, dy: Floats, y: Floats) -> None: ...
def activity_penalty(total: Doubles, x: Floats, l1: float, l2: float) -> None: ...
def activity_penalty_backward(dx: Floats, dy: Floats, x: Floats, l1: float, l2: float, scale: float) -> None: ...
def softmax_cross_entropy(
    losses: Doubles,
    hits: Doubles | None,
    dlogits: Floats | None,
    logits: Floats,
    labels: Integers,
    weights: Floats | None,
    smoothing: float,
    scale: float,
) -> None: ...
def softmax_cross_entropy_soft(
    losses: Doubles,
    hits: Doubles | None,
    dlogits: Floats | None,
    logits: Floats,
    targets: Floats,
    weights: Floats | None,
    scale: float,
) -> None: ...
def pointwise_loss(
    losses: Doubles,
    dpredictions: Floats | None,
    predictions: Floats,
    targets: Floats,
    weights: Floats | None,
    loss: str,
    delta: float,
    scale: float,
) -> None: ...
def row_loss(
    losses: Doubles,
    dpredictions: Floats | None,
    predictions: Floats,
    targets: Floats,
    weights: Floats | None,
    loss: str,
    gamma: float,
    positive: float,
    negative: float,
    scale: float,
) -> None: ...
def overlap_loss(
    losses: Doubles,
    dpredictions: Floats | None,
    predictions: Floats,
    targets: Floats,
    weights: Floats | None,
    alpha: float,
    beta: float,
    epsilon: float,
    whole: bool,
    scale: float,
) -> None: ...
def loss_weights(
    out: Floats,
    kept: Integers | None,
    weights: Floats | None,
    labels: Integers | None,
    ignored: int,
    divisor: int,
) -> None: ...
def sgd_update(
    w: Floats,
    velocity: Floats | None,
    penalty: Doubles | None,
    g: Floats,
    gradient_scale: Doubles | None,
    learning_rate: float,
    momentum: float,
    nesterov: bool,
    l1: float,
    l2: float,
    weight_decay: float,
    proximal: bool,
    clip_value: float,
    clip_penalty: bool,
) -> None: ...
def adam_update(
    w: Floats,
    m: Floats,
    v: Floats,
    v_max: Floats | None,
    penalty: Doubles | None,
    g: Floats,
    gradient_scale: Doubles | None,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    step: int,
    nesterov: bool,
    l1: float,
    l2: float,
    weight_decay: float,
    proximal: bool,
    clip_value: float,
    clip_penalty: bool,
) -> None: ...
def rmsprop_update(
    w: Floats,
    v: Floats,
    m: Floats | None,
    velocity: Floats | None,
    penalty: Doubles | None,
    g: Floats,
    gradient_scale: Doubles | None,
    learning_rate: float,
    rho: float,
    momentum: float,
    epsilon: float,
    epsilon_inside: bool,
    l1: float,
    l2: float,
    weight_decay: float,
    proximal: bool,
    clip_value: float,
    clip_penalty: bool,
) -> None: ...
def adagrad_update(
    w: Floats,
    v: Floats,
    penalty: Doubles | None,
    g: Floats,
    gradient_scale: Doubles | None,
    learning_rate: float,
    epsilon: float,
    epsilon_inside: bool,
    l1: float,
    l2: float,
    weight_decay: float,
    proximal: bool,
    clip_value: float,
    clip_penalty: bool,
) -> None: ...
def adamax_update(
    w: Floats,
    m: Floats,
    u: Floats,
    penalty: Doubles | None,
    g: Floats,
    gradient_scale: Doubles | None,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    step: int,
    l1: float,
    l2: float,
    weight_decay: float,
    proximal: bool,
    clip_value: float,
    clip_penalty: bool,
) -> None: ...
def adadelta_update(
    w: Floats,
    v: Floats,
    d: Floats,
    penalty: Doubles | None,
    g: Floats,
    gradient_scale: Doubles | None,
    learning_rate: float,
    rho: float,
    epsilon: float,
    l1: float,
    l2: float,
    weight_decay: float,
    proximal: bool,
    clip_value: float,
    clip_penalty: bool,
) -> None: ...
def lion_update(
    w: Floats,
    m: Floats,
    penalty: Doubles | None,
    g: Floats,
    gradient_scale: Doubles | None,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    l1: float,
    l2: float,
    weight_decay: float,
    proximal: bool,
    clip_value: float,
    clip_penalty: bool,
) -> None: ...
def squared_norm(total: Doubles, g: Floats, w: Floats | None, l1: float, l2: float) -> None: ...
def clip_scale(scale: Doubles, total: Doubles, max_norm: float) -> None: ...
def constrain_norm(w: Floats, min_value: float, max_value: float, rate: float) -> None: ...
def accumulate(y: Floats, x: Floats, keep: float, scale: float) -> None: ...
def orthogonal_penalty(penalty: Doubles, dw: Floats | None, w: Floats, factor: float, columns: bool) -> None: ...
def average_update(average: Floats, w: Floats, decay: float, step: int) -> None: ...
def gather_labels(out: Integers, labels: Integers, rows: Integers) -> None: ...
def gather(out: Floats, x: NDArray[Any], rows: Integers) -> None: ...
def swap_axes(y: Floats, x: Floats, first: int, second: int) -> None: ...
def find_not_finite(position: Integers, x: Floats) -> None: ...
def add_total(total: Doubles, values: Doubles, scale: float) -> None: ...
def affine_transform(
    y: Floats,
    x: Floats,
    matrices: Doubles,
    height: int,
    width: int,
    channels: int,
    out_height: int,
    out_width: int,
    nearest: bool,
    fill_mode: int,
    fill_value: float,
) -> None: ...
def affine_matrices(
    matrices: Doubles,
    labels: Integers | None,
    ranges: Doubles,
    height: int,
    width: int,
    out_height: int,
    out_width: int,
    padding: int,
    keep_aspect: bool,
    seed: int,
    stream: int,
    step: int,
) -> None: ...
def adjust_pixels(
    y: Floats,
    x: Floats,
    labels: Integers | None,
    ranges: Doubles,
    channels: int,
    low: float,
    high: float,
    seed: int,
    stream: int,
    step: int,
) -> None: ...
def adjust_tones(
    y: Floats,
    x: Floats,
    labels: Integers | None,
    ranges: Doubles,
    low: float,
    high: float,
    seed: int,
    stream: int,
    step: int,
) -> None: ...
def add_noise(
    y: Floats, x: Floats, noise: Floats, scale: Floats | None, deviation: float, low: float, high: float
) -> None: ...
def cut_boxes(
    boxes: Integers,
    weights: Doubles,
    height: int,
    width: int,
    probability: float,
    alpha: float,
    low: float,
    high: float,
    aspect: float,
    seed: int,
    stream: int,
    step: int,
) -> None: ...
def mix_weights(weights: Doubles, alpha: float, seed: int, stream: int, step: int) -> None: ...
def partner_rows(partners: Integers, seed: int, stream: int, step: int) -> None: ...
def paste_boxes(
    y: Floats,
    x: Floats,
    boxes: Integers,
    partners: Integers | None,
    filling: Floats | None,
    height: int,
    width: int,
    channels: int,
    fill_value: float,
) -> None: ...
def mix_rows(y: Floats, x: Floats, partners: Integers, weights: Doubles) -> None: ...
def swap_features(y: Floats, x: Floats, mask: Bools, partners: Integers | None, fill_value: float) -> None: ...
