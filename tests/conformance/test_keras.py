"""Keras' own tests, from its package, of what flyball has under the same names."""

import warnings
from fnmatch import fnmatch

import numpy as np
import pytest

import flyball

pytest.importorskip("absl", reason="Keras' tests are written with it")

from conformance.keras_exceptions import NOT_APPLICABLE
from conformance.standins.stage import cases_of, source_directory, staged

if source_directory() is None:
    pytest.skip("Keras, whose tests these are, is not installed", allow_module_level=True)

FILES = [
    "activations/activations_test.py",
    "callbacks/csv_logger_test.py",
    "callbacks/early_stopping_test.py",
    "callbacks/learning_rate_scheduler_test.py",
    "callbacks/reduce_lr_on_plateau_test.py",
    "callbacks/terminate_on_nan_test.py",
    "constraints/constraints_test.py",
    "initializers/constant_initializers_test.py",
    "initializers/random_initializers_test.py",
    "layers/activations/activation_test.py",
    "layers/activations/elu_test.py",
    "layers/activations/leaky_relu_test.py",
    "layers/activations/prelu_test.py",
    "layers/activations/relu_test.py",
    "layers/activations/softmax_test.py",
    "layers/normalization/batch_normalization_test.py",
    "layers/normalization/group_normalization_test.py",
    "layers/normalization/layer_normalization_test.py",
    "layers/normalization/rms_normalization_test.py",
    "layers/normalization/unit_normalization_test.py",
    "layers/preprocessing/image_preprocessing/center_crop_test.py",
    "layers/preprocessing/image_preprocessing/cut_mix_test.py",
    "layers/preprocessing/image_preprocessing/mix_up_test.py",
    "layers/preprocessing/image_preprocessing/random_brightness_test.py",
    "layers/preprocessing/image_preprocessing/random_color_degeneration_test.py",
    "layers/preprocessing/image_preprocessing/random_color_jitter_test.py",
    "layers/preprocessing/image_preprocessing/random_contrast_test.py",
    "layers/preprocessing/image_preprocessing/random_crop_test.py",
    "layers/preprocessing/image_preprocessing/random_erasing_test.py",
    "layers/preprocessing/image_preprocessing/random_flip_test.py",
    "layers/preprocessing/image_preprocessing/random_grayscale_test.py",
    "layers/preprocessing/image_preprocessing/random_hue_test.py",
    "layers/preprocessing/image_preprocessing/random_invert_test.py",
    "layers/preprocessing/image_preprocessing/random_posterization_test.py",
    "layers/preprocessing/image_preprocessing/random_rotation_test.py",
    "layers/preprocessing/image_preprocessing/random_saturation_test.py",
    "layers/preprocessing/image_preprocessing/random_shear_test.py",
    "layers/preprocessing/image_preprocessing/random_translation_test.py",
    "layers/preprocessing/image_preprocessing/random_zoom_test.py",
    "layers/preprocessing/image_preprocessing/resizing_test.py",
    "layers/preprocessing/image_preprocessing/solarization_test.py",
    "layers/preprocessing/rescaling_test.py",
    "layers/regularization/activity_regularization_test.py",
    "layers/regularization/alpha_dropout_test.py",
    "layers/regularization/dropout_test.py",
    "layers/regularization/gaussian_dropout_test.py",
    "layers/regularization/gaussian_noise_test.py",
    "layers/regularization/spatial_dropout_test.py",
    "layers/reshaping/flatten_test.py",
    "layers/reshaping/permute_test.py",
    "layers/reshaping/reshape_test.py",
    "losses/loss_test.py",
    "losses/losses_test.py",
    "metrics/accuracy_metrics_test.py",
    "metrics/confusion_metrics_test.py",
    "metrics/correlation_metrics_test.py",
    "metrics/f_score_metrics_test.py",
    "metrics/hinge_metrics_test.py",
    "metrics/iou_metrics_test.py",
    "metrics/metric_test.py",
    "metrics/probabilistic_metrics_test.py",
    "metrics/reduction_metrics_test.py",
    "metrics/regression_metrics_test.py",
    "optimizers/adadelta_test.py",
    "optimizers/adagrad_test.py",
    "optimizers/adam_test.py",
    "optimizers/adamax_test.py",
    "optimizers/adamw_test.py",
    "optimizers/lion_test.py",
    "optimizers/nadam_test.py",
    "optimizers/optimizer_test.py",
    "optimizers/rmsprop_test.py",
    "optimizers/schedules/learning_rate_schedule_test.py",
    "optimizers/sgd_test.py",
    "regularizers/regularizers_test.py",
]

CASES = {f"{file}::{name}": case for file in FILES for name, case in cases_of(file).items()}
PATTERNS = {f"{file}::{name}": reason for file in FILES for name, reason in NOT_APPLICABLE.get(file, {}).items()}


def reasons(name):
    return [reason for pattern, reason in PATTERNS.items() if fnmatch(name, pattern)]


def cases(applicable):
    return [pytest.param(case, id=name) for name, case in CASES.items() if applicable is not bool(reasons(name))]


def run(case):
    """Run a case as Keras does: warnings are none of its business. Its random numbers are the same every time."""
    np.random.seed(0)  # noqa: NPY002  # Keras' tests draw from it
    flyball.utils.set_random_seed(0)
    with staged(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            case.debug()
        finally:
            case.doCleanups()


@pytest.mark.parametrize("case", cases(applicable=True))
def test_case(case):
    run(case)


@pytest.mark.parametrize("case", cases(applicable=False))
def test_a_case_that_is_left_out_could_not_pass(case):
    with pytest.raises((Exception, pytest.fail.Exception)):
        run(case)


def test_every_reason_is_one_of_a_case():
    assert [pattern for pattern in PATTERNS if not any(fnmatch(name, pattern) for name in CASES)] == []
    assert [file for file in NOT_APPLICABLE if file not in FILES] == []
