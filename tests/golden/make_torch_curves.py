"""Store losses of five networks in PyTorch, step by step, and weights that decay: ``python make_torch_curves.py``.

Epsilons are so small that it does not matter where they are added, which differs between PyTorch and Keras.
"""

import json
from pathlib import Path

import torch
from networks import NETWORKS, STEPS, batch, samples
from torch import nn
from torch.nn import functional as f

EPSILON = 1e-14
L2 = 0.01


def dense(kernel, bias):
    layer = nn.Linear(*kernel.shape, bias=bias is not None)
    layer.weight.data = torch.tensor(kernel.T)
    if bias is not None:
        layer.bias.data = torch.tensor(bias)
    return layer


def stack(weights, activation, *, norm=False):
    layers = []
    for i, (kernel, bias) in enumerate(weights):
        last = i == len(weights) - 1
        layers.append(dense(kernel, None if norm and not last else bias))
        if not last:
            layers += [nn.BatchNorm1d(kernel.shape[1], eps=1e-3, dtype=torch.float64)] if norm else []
            layers.append(activation())
    return nn.Sequential(*layers)


def l2(model):
    return L2 * sum((layer.weight**2).sum() for layer in model if isinstance(layer, nn.Linear))


def kernels_decay(model):
    """Return groups of parameters: the kernels decay, the biases do not."""
    named = dict(model.named_parameters())
    return [
        {"params": [value for name, value in named.items() if name.endswith("weight")], "weight_decay": 0.1},
        {"params": [value for name, value in named.items() if name.endswith("bias")], "weight_decay": 0.0},
    ]


def adam_w(model):
    return torch.optim.AdamW(kernels_decay(model), lr=0.01, eps=EPSILON)


# For each network: its activation, whether it normalises, its optimiser, and its loss.
TRAINING = [
    (
        nn.ReLU,
        False,
        lambda model: torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True),
        lambda model, p, y: f.cross_entropy(p, y, label_smoothing=0.1),
    ),
    (
        nn.Tanh,
        False,
        lambda model: torch.optim.Adam(model.parameters(), lr=0.02, eps=EPSILON),
        lambda model, p, y: f.binary_cross_entropy_with_logits(p, y) + l2(model),
    ),
    (
        nn.ReLU,
        True,
        lambda model: torch.optim.RMSprop(model.parameters(), lr=0.005, alpha=0.9, eps=EPSILON),
        lambda model, p, y: f.cross_entropy(p, y),
    ),
    (nn.ELU, False, adam_w, lambda model, p, y: f.mse_loss(p, y)),
    (
        nn.Softplus,
        False,
        lambda model: torch.optim.Adagrad(model.parameters(), lr=0.1, initial_accumulator_value=0.1, eps=EPSILON),
        lambda model, p, y: f.huber_loss(p, y, delta=0.5),
    ),
]


def curve(name, activation, norm, make_optimizer, loss_of):
    x, y, weights = samples(name)
    x, y = torch.tensor(x), torch.tensor(y)
    model = stack(weights, activation, norm=norm)
    optimizer = make_optimizer(model)
    losses = []
    for step in range(STEPS):
        rows = batch(step)
        optimizer.zero_grad()
        loss = loss_of(model, model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def decayed(make_optimizer):
    """Return the weights after 20 steps of the network with tanh, whose kernels decay."""
    x, y, weights = samples("tanh, L2, Adam")
    x, y = torch.tensor(x), torch.tensor(y)
    model = stack(weights, nn.Tanh)
    optimizer = make_optimizer(kernels_decay(model))
    for step in range(20):
        optimizer.zero_grad()
        f.binary_cross_entropy_with_logits(model(x[batch(step)])[:, 0], y[batch(step), 0]).backward()
        optimizer.step()
    return [value.detach().numpy().T.tolist() for value in model.parameters()]


DECAY = {
    "SGD": lambda groups: torch.optim.SGD(groups, lr=0.05, momentum=0.9),
    "Adam": lambda groups: torch.optim.Adam(groups, lr=0.01, eps=EPSILON),
    "AdamW": lambda groups: torch.optim.AdamW(groups, lr=0.01, eps=EPSILON),
}


def main():
    decay = {name: decayed(make) for name, make in DECAY.items()}
    curves = {name: curve(name, *row) for name, row in zip(NETWORKS, TRAINING, strict=True)}
    path = Path(__file__).with_name("torch_curves.json")
    path.write_text(json.dumps({"torch": torch.__version__, "curves": curves, "decay": decay}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
