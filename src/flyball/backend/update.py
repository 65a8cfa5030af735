"""Steps of optimisers, with penalties and clipping. The conventions are those of :mod:`flyball.backend`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flyball.backend.types import Doubles, Floats


class Updates(Protocol):
    """Steps of optimisers over flat arrays, each in one pass with penalties, decay and clipping.

    All arrays have the shape (n,) of the weights w, but ``penalty`` and ``gradient_scale``, which have the shape (1,)
    and are optional. With ``scale = gradient_scale[0]`` (1 if absent), ``clip(x) = min(max(x, -clip_value),
    clip_value)`` (x if clip_value is infinite) and ``added = l1 * sign(w) + l2 * w`` (proximal: ``l2 * w``):

    - The gradient is ``g' = clip(scale * g) + added``, with clip_penalty ``g' = clip(scale * (g + added))``.
    - Each operation defines a step from g'. Then ``w = w * (1 - learning_rate * weight_decay) + step``.
    - Proximal: then ``w = sign(w) * max(|w| - learning_rate * l1, 0)``, which makes zeros.
    - ``penalty[0]`` is increased by ``sum(l1 * |w| + l2 / 2 * w**2)`` of the weights before the step.
    """

    def sgd_update(
        self,
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
    ) -> None:
        """One step of stochastic gradient descent; see the class for ``g'`` and what follows the step.

        ``velocity = momentum * velocity - learning_rate * g'``; the step is ``velocity``, with nesterov
        ``momentum * velocity - learning_rate * g'``, without ``velocity`` ``-learning_rate * g'``.
        """
        ...

    def adam_update(
        self,
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
    ) -> None:
        """One step of Adam; ``step`` counts from 1.

        ``m += (1 - beta_1) * (g' - m)``; ``v += (1 - beta_2) * (g'**2 - v)``; with AMSGrad's ``v_max``:
        ``v_max = max(v_max, v)``, which takes the place of v in the step
        ``-learning_rate * sqrt(1 - beta_2**step) / (1 - beta_1**step) * m / (sqrt(v) + epsilon)``. Kingma and Ba
        2015, in the form of its section 2's end, as Keras has it; Reddi et al. 2018.

        With nesterov (Nadam, Dozat 2016, as Keras has it), ``u(t) = beta_1 * (1 - 0.96**t / 2)`` and
        ``p(t) = u(1) * ... * u(t)``, the step is ``-learning_rate * (u(step + 1) / (1 - p(step + 1)) * m
        + (1 - u(step)) / (1 - p(step)) * g') / (sqrt(v / (1 - beta_2**step)) + epsilon)``.
        """
        ...

    def rmsprop_update(
        self,
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
    ) -> None:
        """One step of RMSprop.

        ``v = rho * v + (1 - rho) * g'**2``; with ``m`` (centered) ``m = rho * m + (1 - rho) * g'``, and
        ``max(v - m**2, 0)`` takes the place of v in ``s = learning_rate * g' / sqrt(v + epsilon)``, without
        epsilon_inside ``learning_rate * g' / (sqrt(v) + epsilon)``. The step is ``-s``, or with ``velocity`` the new
        ``velocity = momentum * velocity - s``. Tieleman and Hinton 2012; centered: Graves 2013.
        """
        ...

    def adagrad_update(
        self,
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
    ) -> None:
        """One step of Adagrad.

        ``v += g'**2``; the step is ``-learning_rate * g' / sqrt(v + epsilon)``, without epsilon_inside
        ``-learning_rate * g' / (sqrt(v) + epsilon)``. Duchi et al. 2011.
        """
        ...

    def adamax_update(
        self,
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
    ) -> None:
        """One step of Adamax; ``step`` counts from 1.

        ``m += (1 - beta_1) * (g' - m)``; ``u = max(beta_2 * u, |g'|)``; the step is
        ``-learning_rate / (1 - beta_1**step) * m / (u + epsilon)``. Kingma and Ba 2015, section 7.
        """
        ...

    def adadelta_update(
        self,
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
    ) -> None:
        """One step of Adadelta.

        ``v = rho * v + (1 - rho) * g'**2``; ``s = -sqrt(d + epsilon) / sqrt(v + epsilon) * g'``;
        ``d = rho * d + (1 - rho) * s**2``; the step is ``learning_rate * s``. Zeiler 2012.
        """
        ...

    def lion_update(
        self,
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
    ) -> None:
        """One step of Lion.

        The step is ``-learning_rate * sign(beta_1 * m + (1 - beta_1) * g')``; then
        ``m = beta_2 * m + (1 - beta_2) * g'``. Chen et al. 2023.
        """
        ...
