"""Keras' tests that are not run against flyball, and why not: patterns of ``file::Class.method`` by file."""

_ACTIVATION = "an activation that flyball does not have"
_ACTIVATIONS = (
    *("celu", "glu", "hard_shrink", "hard_silu", "hard_tanh", "log_sigmoid", "soft_shrink", "sparse_plus"),
    *("sparse_sigmoid", "sparsemax", "squareplus", "tanh_shrink", "threshold"),
)
_BOXES = "bounding boxes, which flyball's layers do not take"
_BUILT = "a layer that is built by itself, for a shape with the axis of samples"
_DATA_SETS = "data sets of TensorFlow or Grain, which are no arrays"
_DICT = "a dictionary of images and labels"
_DRAWN = "a method inside Keras' layer, which is given what was drawn"
_DTYPE = "a result of a dtype of its own: flyball's losses and metrics are sums in double precision"
_FILTER = "an interpolation other than bilinear and nearest, or a filter"
_HALF = "half precision, which flyball does not compute in"
_MASK = "masks that hang on arrays, which flyball has none of"
_NONE = "None as a name, which flyball refuses"
_OPEN = "shapes that are not known"
_ROWS = "a mask's shape that fixes the number of samples"
_SCALAR = "a sample that is a number, without any axis"
_SEED = "a seed that moves on from call to call; a seed of flyball's is a number"
_TF = "skipped by Keras itself on any backend but TensorFlow's, or Torch's"

NOT_APPLICABLE = {
    "activations/activations_test.py": {
        **{f"ActivationsTest.test_{name}": _ACTIVATION for name in _ACTIVATIONS},
    },
    "callbacks/early_stopping_test.py": {
        "EarlyStoppingTest.test_early_stopping": "an attribute of Keras: the comparison as a function",
        "*.test_state_reset_across_fit_calls": "a best value of None before the first epoch; flyball's is infinite",
    },
    "callbacks/learning_rate_scheduler_test.py": {
        "*.test_learning_rate_in_history": "the type of a number, which the stand-in of a variable has another of",
        "*.test_throws_when_optimizer_has_schedule": "a TypeError; flyball's is a ValueError",
        "*.test_verbose_logging": "printing through a function of Keras",
    },
    "callbacks/reduce_lr_on_plateau_test.py": {
        "*.test_state_reset_across_fit_calls": "a best value of None before the first epoch; flyball's is infinite",
        "*.test_throws_when_optimizer_has_schedule": "a TypeError; flyball's is a ValueError",
        "*.test_verbose_logging": "printing through a function of Keras",
    },
    "callbacks/terminate_on_nan_test.py": {
        "*.test_raise_error_*": "targets that are infinite, which flyball refuses",
        "*.test_terminate_on_nan_*": "targets that are infinite, which flyball refuses",
    },
    "constraints/constraints_test.py": {
        "ConstraintsTest.test_default_constraint_call": "the base class: abstract here",
    },
    "initializers/constant_initializers_test.py": {
        "*.test_constant_initializer_array_value": "a constant that is an array, which no configuration could hold",
        "*.test_stft_initializer": "Fourier transforms: an initializer that flyball does not have",
    },
    "initializers/random_initializers_test.py": {
        "*.test_compute_fans_with_axes": "kernels of attention, whose inputs and outputs have several axes",
        "*.test_get_method": _NONE,
        "*.test_get_method_with_tensor": "an array as an initializer",
        "*.test_mha_query_projection_variance": "attention",
        "*.test_random_normal": _SEED,
        "*.test_serialization_with_seed_generator": _SEED,
        "*.test_variance_scaling*_with_axes": "kernels of attention, whose inputs and outputs have several axes",
    },
    "layers/activations/leaky_relu_test.py": {"*.test_leaky_relu_correctness": _SCALAR},
    "layers/activations/prelu_test.py": {"*.test_prelu_correctness": _BUILT},
    "layers/activations/relu_test.py": {
        "*.test_default_relu_no_args": _SCALAR,
        "*.test_*_relu_correctness": _SCALAR,
        "*.test_relu_none_max_value_is_unlimited": _SCALAR,
    },
    "layers/activations/softmax_test.py": {"*mask*": _MASK},
    "layers/normalization/batch_normalization_test.py": {
        "*.test_bachnorm_ignore_masked_values*": _MASK,
        "*.test_masked_broadcast_normalization": _MASK,
        "*renorm*": "batch renormalisation, which flyball does not have",
        "*.test_serialization": "batch renormalisation, which flyball does not have",
        "*.test_large_value_within_autocast_scope": _HALF,
        "*.test_trainable_behavior": _BUILT,
    },
    "layers/normalization/group_normalization_test.py": {
        "*.test_large_value_within_autocast_scope": _HALF,
        "*.test_mixed_precision_large_input_no_nan": _HALF,
        "*.test_undefined_dim_error": "an axis of no fixed size",
    },
    "layers/normalization/layer_normalization_test.py": {
        "*.test_correctness": "arithmetic with a layer's weight, which is no array here",
        "*.test_invalid_axis": "a TypeError; flyball's is a ValueError",
        "*.test_large_value_within_autocast_scope": _HALF,
        "*.test_ln_basics": "a part of it: RMS normalisation by another name",
        "*.test_output_with_rms_scaling": "RMS normalisation by another name",
    },
    "layers/normalization/rms_normalization_test.py": {
        "*.test_correctness": "arithmetic with a layer's weight, which is no array here",
    },
    "layers/normalization/unit_normalization_test.py": {
        "*.test_invalid_axis": "a TypeError; flyball's is a ValueError",
    },
    "layers/preprocessing/image_preprocessing/center_crop_test.py": {
        "*bounding_boxes*": _BOXES,
        "*tf_data*": _DATA_SETS,
        "*.test_dynamic_spatial_dims": _OPEN,
    },
    "layers/preprocessing/image_preprocessing/cut_mix_test.py": {
        "*tf_data*": _DATA_SETS,
        "*.test_cut_mix_basic": _DRAWN,
    },
    "layers/preprocessing/image_preprocessing/mix_up_test.py": {
        "*bounding_boxes*": _BOXES,
        "*tf_data*": _DATA_SETS,
        "*.test_mix_up_basic_*": _DRAWN,
    },
    "layers/preprocessing/image_preprocessing/random_brightness_test.py": {
        "*tf_data*": _DATA_SETS,
        "*.test_dict_input": _DICT,
        "*.test_set_factor_incorrect_*": _DRAWN,
    },
    "layers/preprocessing/image_preprocessing/random_color_degeneration_test.py": {"*tf_data*": _DATA_SETS},
    "layers/preprocessing/image_preprocessing/random_color_jitter_test.py": {"*tf_data*": _DATA_SETS},
    "layers/preprocessing/image_preprocessing/random_contrast_test.py": {
        "*tf_data*": _DATA_SETS,
        "*.test_dict_input": _DICT,
        "*.test_random_contrast_with_value_range_*": _DRAWN,
    },
    "layers/preprocessing/image_preprocessing/random_crop_test.py": {
        "*tf_data*": _DATA_SETS,
        "*.test_dict_input": _DICT,
    },
    "layers/preprocessing/image_preprocessing/random_erasing_test.py": {
        "*tf_data*": _DATA_SETS,
        "*.test_random_erasing_basic": _DRAWN,
    },
    "layers/preprocessing/image_preprocessing/random_flip_test.py": {
        "*bounding_boxes*": _BOXES,
        "*tf_data*": _DATA_SETS,
        "*.test_random_flip_horizontal": "a class of the test's own, which no configuration names",
        "*.test_random_flip_vertical": "a class of the test's own, which no configuration names",
    },
    "layers/preprocessing/image_preprocessing/random_grayscale_test.py": {"*tf_data*": _DATA_SETS},
    "layers/preprocessing/image_preprocessing/random_hue_test.py": {"*tf_data*": _DATA_SETS},
    "layers/preprocessing/image_preprocessing/random_invert_test.py": {"*tf_data*": _DATA_SETS},
    "layers/preprocessing/image_preprocessing/random_posterization_test.py": {"*tf_data*": _DATA_SETS},
    "layers/preprocessing/image_preprocessing/random_rotation_test.py": {"*tf_data*": _DATA_SETS},
    "layers/preprocessing/image_preprocessing/random_saturation_test.py": {
        "*tf_data*": _DATA_SETS,
        "*.test_random_saturation_full_saturation": "a factor of 1: colours that are infinitely strong",
    },
    "layers/preprocessing/image_preprocessing/random_shear_test.py": {
        "*bounding_boxes*": _BOXES,
        "*tf_data*": _DATA_SETS,
        "*.test_shear_pixel_level": "shearing about the first pixel; flyball's is about the middle",
    },
    "layers/preprocessing/image_preprocessing/random_translation_test.py": {
        "*bounding_boxes*": _BOXES,
        "*tf_data*": _DATA_SETS,
    },
    "layers/preprocessing/image_preprocessing/random_zoom_test.py": {
        "*bounding_boxes*": _BOXES,
        "*tf_data*": _DATA_SETS,
        "*.test_dynamic_shape": _OPEN,
    },
    "layers/preprocessing/image_preprocessing/resizing_test.py": {
        "*bounding_boxes*": _BOXES,
        "*tf_data*": _DATA_SETS,
        "*.test_grain_compatibility": _DATA_SETS,
        "*_bicubic_*": _FILTER,
        "*_lanczos5_*": _FILTER,
        "*_true_channels_*": _FILTER,
    },
    "layers/preprocessing/rescaling_test.py": {
        "*tf_data*": _DATA_SETS,
        "*.test_grain_compatibility": _DATA_SETS,
        "*channels_first_and_vector_scale": "a setting for all layers that channels come first",
    },
    "layers/reshaping/flatten_test.py": {"*dynamic*": _OPEN, "*.test_flatten_with_scalar_channels": _SCALAR},
    "layers/reshaping/permute_test.py": {"*dynamic*": _OPEN},
    "layers/reshaping/reshape_test.py": {
        "*dynamic*": _OPEN,
        "*varying*": _OPEN,
        "*.test_reshape_sets_static_shape": _OPEN,
    },
    "layers/regularization/activity_regularization_test.py": {"*.test_correctness": _SCALAR},
    "layers/regularization/alpha_dropout_test.py": {"*.test_alpha_dropout_partial_noise_shape_static": _ROWS},
    "layers/regularization/dropout_test.py": {"*.test_dropout_partial_noise_shape_static": _ROWS},
    "layers/regularization/spatial_dropout_test.py": {"*_dynamic": "arrays without values"},
    "losses/loss_test.py": {
        "*mask*": _MASK,
        "*.test_rank_adjustment_*": _MASK,
        "*.test_d*type*": _DTYPE,
        "*.test_default_dtype": _DTYPE,
        "*.test_get_method": _NONE,
        "*.test_pickle": "a name that stands for a function; flyball's stand for objects",
        "*.test_squeeze_or_expand": "a function inside Keras",
    },
    "losses/losses_test.py": {
        "*.test_dtype_arg": _DTYPE,
        "CosineSimilarityTest.test_config": "a configuration that leaves the axis out; flyball's has it",
        "HuberLossTest.test_config": "a configuration that leaves delta out; flyball's has it",
        "*.test_squeezes_singleton_class_dim_on_user_axis": _TF,
        "CTCTest.*": "a loss that flyball does not have",
        "CircleTest.*": "a loss that flyball does not have",
    },
    "metrics/accuracy_metrics_test.py": {
        "*.test_config": _DTYPE,
        "*from_sorted_ids*": "predictions that are class indices in order of rank",
        "SparseCategoricalAccuracyTest.test_reshape_matches": "targets of another shape than the predictions'",
    },
    "metrics/confusion_metrics_test.py": {
        "AUCTest.test_config*": "attributes of Keras: the number of labels, and thresholds with both ends",
        "*.test_manual_thresholds": "attributes of Keras: thresholds with both ends",
        "AUCTest.*prgain*": "a curve that flyball does not have",
        "*.test_handles_sas_metrics": "a loss by a name that stands for none",
        "MultiAUCTest.test_keras_model_compiles": "a model that is a graph of functions",
        "MultiAUCTest.test_reset_state": "sums of a shape that is known before the first batch",
    },
    "metrics/correlation_metrics_test.py": {
        "*_config": _DTYPE,
        "*_function": "a function; flyball's metrics are classes",
    },
    "metrics/f_score_metrics_test.py": {
        "*.test_beta_integer_type_raises_value_error": "a number that has to be written with a point",
        "*.test_threshold_not_float_raises_value_error": "a number that has to be written with a point",
        "*.test_non_2d_input_shapes_raises_value_error": "a method inside Keras' metric",
        "*.test_undefined_output_dim_raises_value_error": "a method inside Keras' metric",
    },
    "metrics/hinge_metrics_test.py": {"*.test_config": _DTYPE},
    "metrics/iou_metrics_test.py": {
        "IoUTest.test_compilation": "predictions that are no class numbers, which flyball refuses to round",
        "MeanIoUTest.test_big_chunk": "a variable inside Keras' metric, of integers",
        "MeanIoUTest.test_user_warning_float_weight": "sums of integers; flyball's are in double precision",
    },
    "metrics/metric_test.py": {"MetricTest.*": "Keras' machinery of variables, dtypes and metrics inside metrics"},
    "metrics/probabilistic_metrics_test.py": {
        "KLDivergenceTest.test_config": _DTYPE,
    },
    "metrics/reduction_metrics_test.py": {
        "*dynamic_shape*": "arrays without values",
        "MetricWrapperTest.test_binary_accuracy_with_boolean_inputs": "arrays without values",
        "MetricWrapperTest.test_config": "a function under a registered name; flyball's files hold no functions",
    },
    "metrics/regression_metrics_test.py": {
        "CosineSimilarityTest.test_config": _DTYPE,
        "MeanAbsolute*Test.test_config": _DTYPE,
        "MeanSquaredLogarithmicErrorTest.test_config": _DTYPE,
        "RootMeanSquaredErrorTest.test_config": _DTYPE,
    },
    "optimizers/adam_test.py": {
        "*.test_clipnorm_indexed_slices": _TF,
    },
    "optimizers/nadam_test.py": {
        "*.test_build_with_empty_var_list": "a variable inside Keras' optimizer",
    },
    "optimizers/optimizer_test.py": {
        "*.test_callable_learning_rate": "a function as a learning rate; flyball takes a number or a schedule",
        "*.test_ema_with_model_fit": "targets that are broadcast to the outputs, which flyball refuses",
        "*.test_empty_gradients": "gradients that are absent: a model of flyball's has all it trains with",
        "*.test_get_method": _NONE,
        "*.test_gradient_accumulation*decay9": "FTRL, an optimizer that flyball does not have",
        "*.test_gradient_accumulation*decay10": "Adafactor, an optimizer that flyball does not have",
        "*.test_mixed_with_tf_variables": _TF,
        "*.test_optimizer_auto_naming": "names that are counted up; flyball's optimizers need no different ones",
        "*.test_overwrite_with_gradient*": "variables that are their gradient: statistics of quantised layers",
        "*.test_pickleable_optimizers9": "FTRL, an optimizer that flyball does not have",
        "*.test_pickleable_optimizers10": "Adafactor, an optimizer that flyball does not have",
        "*.test_set_weights": "an optimizer that holds its state; flyball's models do",
        "*.test_static_loss_scaling": "a factor of the loss for half precision, which flyball does not compute in",
        "*.test_tf_checkpointing": _TF,
    },
    "regularizers/regularizers_test.py": {
        "*.test_orthogonal_regularizer_*_validation": "the words of an error",
        "ValidateFloatArgTest.*": "a function inside Keras",
    },
}
