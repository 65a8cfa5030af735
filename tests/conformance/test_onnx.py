"""ONNX's own test cases of the operators that flyball has, from its package."""

import importlib
import warnings
from fnmatch import fnmatch

import numpy as np
import pytest

from conformance.operators import OPERATORS

onnx = pytest.importorskip("onnx", minversion="1.23")

# ONNX makes a module's cases when that is imported. The modules of all operators would take ten seconds.
MODULES = [
    "adagrad",
    "adam",
    "batch_normalization",
    "celu",
    "dropout",
    "elu",
    "exp",
    "gelu",
    "gemm",
    "groupnormalization",
    "hardsigmoid",
    "hardswish",
    "identity",
    "instance_normalization",
    "layernormalization",
    "leakyrelu",
    "logsoftmax",
    "matmul",
    "meanvariancenormalization",
    "mish",
    "momentum",
    "negativeloglikelihoodloss",
    "prelu",
    "relu",
    "rmsnormalization",
    "selu",
    "sigmoid",
    "softmax",
    "softmax_cross_entropy_loss",
    "softplus",
    "softsign",
    "swish",
    "tanh",
    "thresholdedrelu",
]

# Cases that are not run, and why not.
NOT_APPLICABLE = {
    "*_expanded*": "the case of the same name without this ending, as a graph of elementary operators",
    "test_celu*": "an activation that flyball does not have",
    "test_gemm_default_matrix_bias": "a bias is a vector, the same for each row",
    "test_hardswish": "an activation that flyball does not have",
    "test_identity_opt": "a value that may be absent, not an array",
    "test_identity_sequence": "a list of arrays, not an array",
    "test_matmul_[!2]*": "vectors and stacks of matrices: matmul multiplies two matrices",
    "test_nllloss_*": "scores that are not logarithms of probabilities: flyball's loss begins at logits and normalises",
    "test_selu": "another alpha and gamma than those the activation is defined with",
    "test_selu_example": "another alpha and gamma than those the activation is defined with",
    "test_training_dropout": "a mask of NumPy's generator, which is not among the outputs",
    "test_training_dropout_default": "a mask of NumPy's generator, which is not among the outputs",
}


def all_cases():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        node = importlib.import_module("onnx.backend.test.case.node")
        for module in MODULES:
            importlib.import_module(f"{node.__name__}.{module}")
    return {case.name: case for case in node._NodeTestCases}


def reasons(name):
    return [reason for pattern, reason in NOT_APPLICABLE.items() if fnmatch(name, pattern)]


# ONNX's runner allows 1e-3 (and 1e-7 absolute). The worst of all levels and the reference needs 1.7e-6, but for values
# that nearly cancel: what is expected was computed in its own dtype, and is as far from the formula in float64 as the
# terms are rounded (3.5e-7 in layer normalization of 4 axes, where ours is within 2e-7). So the largest value's last
# digit counts for all.
RTOL = 1e-5

CASES = all_cases()
RUN = sorted(name for name in CASES if not reasons(name))


def test_every_case_is_run_or_listed_with_its_reason():
    operators = {name: case.model.graph.node[0].op_type for name, case in CASES.items() if not reasons(name)}
    assert [name for name, operator in operators.items() if operator not in OPERATORS] == []
    assert set(operators.values()) == set(OPERATORS)
    assert [pattern for pattern in NOT_APPLICABLE if not any(fnmatch(name, pattern) for name in CASES)] == []


@pytest.mark.parametrize("name", RUN)
def test_case(name, each_backend):
    case = CASES[name]
    [node] = case.model.graph.node
    [(inputs, expected)] = case.data_sets
    attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    attributes = {key: value.decode() if isinstance(value, bytes) else value for key, value in attributes.items()}
    if node.op_type == "Dropout" and len(expected) == 2:
        attributes["mask"] = expected[1]
    results = OPERATORS[node.op_type](*inputs, **attributes)
    results = results if isinstance(results, tuple) else (results,)
    assert len(results) >= len(expected)
    for result, value in zip(results, expected, strict=False):
        assert np.shape(result) == np.shape(value)
        digit = np.finfo(value.dtype).eps * np.abs(value).max(initial=0.0) if value.dtype.kind == "f" else 0.0
        np.testing.assert_allclose(result, value, rtol=RTOL, atol=max(case.atol, digit))
