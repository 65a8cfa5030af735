"""Schedules that Keras has not, and what all of them share. Those of Keras: test_optimizers_golden.py."""

import re

import numpy as np
import pytest

import flyball
from flyball import layers, optimizers
from flyball.optimizers import schedules


def test_one_cycle_is_pytorchs():
    # torch.optim.lr_scheduler.OneCycleLR(max_lr=0.1, total_steps=10), torch 2.13.
    want = [0.004, 0.052, 0.1, 0.0950484632, 0.0811745654, 0.0611262022, 0.0388741978, 0.0188258346, 0.0049519368, 4e-7]
    np.testing.assert_allclose(schedules.OneCycle(0.1, 10).evaluate(np.arange(10)), want, rtol=1e-5)
    np.testing.assert_allclose(schedules.OneCycle(0.1, 10)(100), 4e-7)


def test_step_decay():
    np.testing.assert_allclose(schedules.StepDecay(1.0, 3).evaluate(np.arange(7)), [1, 1, 1, 0.1, 0.1, 0.1, 0.01])


def test_restarts_begin_where_they_should():
    schedule = schedules.CosineDecayRestarts(1.0, 10, t_mul=3.0)
    start, ends = 0, []
    for length in (10, 30, 90, 270, 810, 2430):
        start += length
        ends.append(start)
    np.testing.assert_array_equal(schedule.evaluate(ends), 1.0)
    assert (schedule.evaluate(np.array(ends) - 1) < 0.03).all()


def test_an_epochs_learning_rates_follow_the_schedule():
    flyball.utils.set_random_seed(0)
    x, y = np.ones((8, 1), np.float32), np.zeros(8, np.float32)
    model = flyball.Sequential([layers.Dense(1, use_bias=False, kernel_initializer="ones", input_shape=(1,))])
    schedule = schedules.PiecewiseConstantDecay([1, 3], [0.1, 0.2, 0.3])
    model.compile(optimizers.SGD(schedule), "mean_squared_error")
    model.fit(x, y, batch_size=2, epochs=2, verbose=0)
    rates = [0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.3, 0.3]
    np.testing.assert_allclose(model.get_weights()[0], np.prod([1 - 2 * r for r in rates]), rtol=1e-5)
    assert model.optimizer.iterations == 8
    assert model.optimizer.learning_rate == 0.3


def test_an_optimizer_saves_its_schedule():
    adam = optimizers.Adam(schedules.CosineDecay(0.1, 100, warmup_target=0.2, warmup_steps=10))
    twin = optimizers.get(optimizers.serialize(adam))
    assert twin.get_config() == adam.get_config()
    np.testing.assert_array_equal(twin.learning_rates(120), adam.learning_rates(120))
    twin.learning_rate = 0.5
    np.testing.assert_array_equal(twin.learning_rates(3), 0.5)


class Negative(schedules.LearningRateSchedule):
    def rates(self, steps):
        return 1.0 - steps


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: schedules.ExponentialDecay(0.1, 0, 0.5), "decay_steps must be in (0, inf), got 0"),
        (lambda: schedules.ExponentialDecay(-1, 1, 0.5), "initial_learning_rate must be in [0, inf), got -1"),
        (lambda: schedules.PiecewiseConstantDecay([1], [1]), "values must be 2 numbers, one more than boundaries"),
        (lambda: schedules.PiecewiseConstantDecay([2, 1], [1, 2, 3]), "boundaries must be ascending, got [2.0, 1.0]"),
        (lambda: schedules.CosineDecayRestarts(1, 1, t_mul=0.5), "t_mul must be in [1, inf), got 0.5"),
        (lambda: schedules.OneCycle(1, 1), "total_steps must be an integer >= 2, got 1"),
        (lambda: Negative().evaluate(3), "the learning rates of Negative must be in [0, inf), got -2.0"),
        (lambda: schedules.get("cosine"), "learning_rate must be a schedule or one of"),
    ],
)
def test_bad_arguments(make, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        make()


def test_inverse_scaling_is_the_power_of_the_step():
    rates = schedules.InverseScaling(0.5, 0.25).evaluate(np.arange(20))
    np.testing.assert_allclose(rates, [0.5 / step**0.25 for step in range(1, 21)], rtol=1e-14)


def test_a_warm_up_precedes_a_number_or_a_schedule():
    np.testing.assert_allclose(schedules.WarmUp(0.4, 4).evaluate(np.arange(6)), [0.0, 0.1, 0.2, 0.3, 0.4, 0.4])
    decay = schedules.ExponentialDecay(0.8, 10, 0.5)
    warm = schedules.WarmUp(decay, 3, initial_learning_rate=0.2)
    np.testing.assert_allclose(warm.evaluate([0, 1, 2]), [0.2, 0.4, 0.6])
    np.testing.assert_array_equal(warm.evaluate(np.arange(3, 30)), decay.evaluate(np.arange(27)))
    twin = schedules.get(schedules.serialize(warm))
    assert twin.get_config() == warm.get_config()
    np.testing.assert_array_equal(twin.evaluate(np.arange(9)), warm.evaluate(np.arange(9)))
    for arguments, message in (
        ((-0.1, 3), "schedule must be in [0, inf), got -0.1"),
        ((0.1, 0), "steps must be a pos"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            schedules.WarmUp(*arguments)
