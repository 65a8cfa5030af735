"""``keras.src.testing``: Keras' assertions, with its tolerances."""

import itertools
import json
import tempfile
import types

import numpy as np
import pytest
from absl.testing import parameterized

import flyball
from conformance.standins.backend import numpy_of
from flyball import constraints, initializers, layers, losses, metrics, optimizers, regularizers
from flyball.optimizers import schedules

REGISTRIES = [
    module.REGISTRY
    for module in (constraints, initializers, layers, losses, metrics, optimizers, regularizers, schedules)
    if hasattr(module, "REGISTRY")
]


class TestCase(parameterized.TestCase):
    """Keras' base class of tests."""

    def assertAllClose(self, actual, desired, atol=1e-6, rtol=1e-6, tpu_atol=None, tpu_rtol=None, msg=None):
        np.testing.assert_allclose(numpy_of(actual), numpy_of(desired), atol=atol, rtol=rtol, err_msg=msg or "")

    def get_temp_dir(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        return directory.name

    def assertNotAllClose(self, x1, x2, atol=1e-6, rtol=1e-6, msg=None):
        assert not np.allclose(x1, x2, atol=atol, rtol=rtol), msg

    def assertAlmostEqual(self, actual, desired, decimal=3, tpu_decimal=None, msg=None):
        np.testing.assert_almost_equal(np.asarray(actual), np.asarray(desired), decimal=decimal, err_msg=msg or "")

    def assertAllEqual(self, actual, desired, msg=None):
        np.testing.assert_array_equal(np.asarray(actual), np.asarray(desired), err_msg=msg or "")

    def assertRaisesRegex(self, expected_exception, expected_regex):
        # Which error is Keras', what it says is flyball's.
        return pytest.raises(expected_exception)

    def run_class_serialization_test(self, instance, custom_objects=None):
        """The configuration survives JSON, and makes an object with the same one: by its class and by its name."""
        config = instance.get_config()
        twin = type(instance).from_config(json.loads(json.dumps(config)))
        assert json.dumps(twin.get_config()) == json.dumps(config)
        for registry in REGISTRIES:
            if isinstance(instance, registry.base):
                named = {"class_name": type(instance).__name__, "config": config}
                assert registry.deserialize(json.loads(json.dumps(named))).get_config() == twin.get_config()
        return twin

    def run_layer_test(
        self,
        layer_cls,
        init_kwargs,
        input_shape=None,
        input_data=None,
        call_kwargs=None,
        expected_output_shape=None,
        expected_output=None,
        expected_num_trainable_weights=None,
        expected_num_non_trainable_weights=None,
        run_training_check=True,
        **_,  # masks, seed generators, losses as tensors, dtype policies, and tolerances of other machines
    ):
        """The layer's weights, configuration and output, and an epoch of a model with it."""
        self.run_class_serialization_test(layer_cls(**init_kwargs))
        layer = layer_cls(**init_kwargs)
        x = np.random.default_rng(0).random(input_shape, np.float32) if input_data is None else input_data
        y = layer(x, **(call_kwargs or {}))
        if expected_output_shape is not None:
            assert y.shape == expected_output_shape
        if expected_output is not None:
            self.assertAllClose(y, expected_output)
        for expected, weights in (
            (expected_num_trainable_weights, layer.trainable_weights),
            (expected_num_non_trainable_weights, layer.non_trainable_weights),
        ):
            if expected is not None:
                self.assertLen(weights, expected)
        if run_training_check:
            model = flyball.Sequential([layer_cls(**init_kwargs)])
            model.compile("sgd", "mse")
            model.fit(x, np.zeros(y.shape), verbose=0)


def tensorflow_uses_gpu():
    return False


def get_test_data(train_samples, test_samples, input_shape, num_classes, random_seed=None):
    """Return samples about a centre for each class, and their classes, for training and for a test."""
    random = np.random.default_rng(random_seed or 0)
    centres = random.standard_normal((num_classes, *input_shape))
    parts = []
    for count in (train_samples, test_samples):
        y = np.arange(count) % num_classes
        parts.append((centres[y] + 0.5 * random.standard_normal((count, *input_shape)), y))
    return parts


def named_product(*cases, **values):
    """Return all combinations of named cases and of values, with names."""
    named = [[{"testcase_name": f"{value}".lower(), name: value} for value in each] for name, each in values.items()]
    return [
        {key: value for case in combination for key, value in case.items()}
        | {"testcase_name": "_".join(case["testcase_name"] for case in combination)}
        for combination in itertools.product(*cases, *named)
    ]


test_utils = types.ModuleType("keras.src.testing.test_utils")
vars(test_utils).update(get_test_data=get_test_data, named_product=named_product)
