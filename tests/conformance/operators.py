"""ONNX's operators as calls of ``flyball.functional``: signatures and defaults are ONNX's, arithmetic is flyball's."""

import numpy as np

import flyball.functional as f


def activation(name, **defaults):
    """Return the operator that is this activation; an attribute is called as its argument is."""

    def operator(x, **attributes):
        return f.activation_forward(x, name, **{**defaults, **attributes})

    return operator


def gelu(x, *, approximate="none"):
    return f.activation_forward(x, "gelu_tanh" if approximate == "tanh" else "gelu")


def hard_sigmoid(x, *, alpha=0.2, beta=0.5):
    # flyball's is min(max(x / 6 + 1 / 2, 0), 1).
    return f.activation_forward(6 * (alpha * x + (beta - 0.5)), "hard_sigmoid")


def over_axis(function):
    """Return the operator that is ``function``, which works on the last axis, on axis ``axis``."""

    def operator(x, *, axis=-1):
        return np.moveaxis(function(np.moveaxis(x, axis, -1)), -1, axis)

    return operator


def gemm(a, b, c=None, *, alpha=1.0, beta=1.0, transA=0, transB=0):
    columns = b.shape[0 if transB else 1]
    bias = None if c is None else np.broadcast_to(beta * c.reshape(-1), columns)
    return f.matmul(alpha * a, b, bias=bias, transpose_a=bool(transA), transpose_b=bool(transB))


def dropout(x, ratio=0.5, training_mode=False, /, *, mask=None, **_):
    # The seed and, before opset 12, the ratio are attributes; neither matters in inference, nor with a mask.
    if training_mode and ratio > 0:
        return f.dropout_forward(x, ratio, mask=mask), mask
    return f.dropout_forward(x, 0.0, seed=0, return_mask=True)


def batch_norm(x, scale, bias, mean, var, *, epsilon=1e-5, momentum=0.9, training_mode=0):
    if not training_mode:
        return f.batch_norm_inference(x, mean, var, scale, bias, axis=1, epsilon=epsilon)
    running = {"running_mean": mean.copy(), "running_var": var.copy()}
    y = f.batch_norm_forward(x, scale, bias, axis=1, momentum=momentum, epsilon=epsilon, **running).y
    return y, *running.values()


def mean_variance_norm(x):
    # By default over all axes but the second; ONNX adds 1e-9 to the deviation, not to the variance.
    return f.batch_norm_forward(x, axis=1, epsilon=1e-18).y


def group_norm(x, scale, bias, *, num_groups, epsilon=1e-5):
    return f.group_norm_forward(x, num_groups, scale, bias, axis=1, epsilon=epsilon).y


def instance_norm(x, scale, bias, *, epsilon=1e-5):
    return f.instance_norm_forward(x, scale, bias, axis=1, epsilon=epsilon).y


def layer_norm(x, scale, bias=None, *, axis=-1, epsilon=1e-5):
    # flyball wants an axis of samples before those it normalises, ONNX keeps these in the statistics.
    first = axis % x.ndim
    y, mean, rstd = f.layer_norm_forward(x[np.newaxis], scale, bias, axis=first + 1, epsilon=epsilon)
    kept = x.shape[:first] + (1,) * (x.ndim - first)
    return y[0], mean.reshape(kept), rstd.reshape(kept)


def rms_norm(x, scale, *, axis=-1, epsilon=1e-5):
    return f.rms_norm_forward(x[np.newaxis], scale, axis=axis % x.ndim + 1, epsilon=epsilon).y[0]


def softmax_cross_entropy(x, labels, class_weights=None, *, reduction="mean", ignore_index=None):
    rows = np.moveaxis(x, 1, -1)
    weights = None
    targets = labels.reshape(-1)
    if ignore_index is not None:  # it need not be a class
        kept = targets != ignore_index
        weights, targets = kept.astype(x.dtype), np.where(kept, targets, 0)
    loss = f.softmax_cross_entropy(
        rows.reshape(-1, x.shape[1]),
        targets,
        weights=weights,
        class_weights=class_weights,
        reduction="weighted_mean" if reduction == "mean" else reduction,
    ).loss
    return np.reshape(loss, labels.shape if reduction == "none" else ()), np.moveaxis(
        f.log_softmax_forward(rows), -1, 1
    )


def updated(update, count, arrays):
    """Call ``update`` with copies of each weight's arrays, and return them without the gradients.

    ONNX lists them kind by kind: all weights, all gradients, then one state after the other.
    """
    copies = [array.copy() for array in arrays]
    for weight in range(count):
        update(*copies[weight::count])
    return *copies[:count], *copies[2 * count :]


def adam(rate, step, *arrays, alpha=0.9, beta=0.999, epsilon=0.0, norm_coefficient=0.0):
    def update(x, g, v, h):
        f.adam_update(
            x,
            g,
            v,
            h,
            step=int(step) or 10**6,  # without bias correction at step 0: so late there is none
            learning_rate=rate.item(),
            beta_1=alpha,
            beta_2=beta,
            epsilon=epsilon,
            l2=norm_coefficient,
        )

    return updated(update, len(arrays) // 4, arrays)


def adagrad(rate, step, *arrays, decay_factor=0.0, epsilon=0.0, norm_coefficient=0.0):
    decayed = rate.item() / (1 + step.item() * decay_factor)

    def update(x, g, h):
        f.adagrad_update(x, g, h, learning_rate=decayed, epsilon=epsilon, epsilon_inside=False, l2=norm_coefficient)

    return updated(update, len(arrays) // 3, arrays)


def momentum(rate, step, *arrays, alpha, beta, mode, norm_coefficient):
    rate = rate.item()
    assert step == 0 or beta == 1, "flyball's gradient has no factor of its own, which ONNX's has after step 0"

    def update(x, g, v):
        velocity = -rate * v
        nesterov = mode == "nesterov"
        f.sgd_update(x, g, velocity, learning_rate=rate, momentum=alpha, nesterov=nesterov, l2=norm_coefficient)
        v[...] = velocity / -rate

    return updated(update, len(arrays) // 3, arrays)


def prelu(x, slope):
    """Slopes of the last axes, or of all of them: of one sample then."""
    return f.prelu_forward(x.reshape(-1, slope.size), slope.ravel()).reshape(x.shape)


OPERATORS = {
    "Adagrad": adagrad,
    "Adam": adam,
    "BatchNormalization": batch_norm,
    "Dropout": dropout,
    "Elu": activation("elu", alpha=1.0),
    "Exp": activation("exponential"),
    "Gelu": gelu,
    "Gemm": gemm,
    "GroupNormalization": group_norm,
    "HardSigmoid": hard_sigmoid,
    "Identity": activation("linear"),
    "InstanceNormalization": instance_norm,
    "LayerNormalization": layer_norm,
    "LeakyRelu": activation("leaky_relu", alpha=0.01),
    "LogSoftmax": over_axis(f.log_softmax_forward),
    "MatMul": f.matmul,
    "MeanVarianceNormalization": mean_variance_norm,
    "Mish": activation("mish"),
    "Momentum": momentum,
    "PRelu": prelu,
    "RMSNormalization": rms_norm,
    "Relu": activation("relu"),
    "Selu": activation("selu"),
    "Sigmoid": activation("sigmoid"),
    "Softmax": over_axis(f.softmax_forward),
    "SoftmaxCrossEntropyLoss": softmax_cross_entropy,
    "Softplus": activation("softplus"),
    "Softsign": activation("softsign"),
    "Swish": activation("silu"),
    "Tanh": activation("tanh"),
    "ThresholdedRelu": lambda x, alpha=1.0: f.relu_forward(x, threshold=alpha),
}
