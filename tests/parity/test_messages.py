"""Bad memory facts: the same exception with the same words from both backends, and nothing written."""

import numpy as np
import pytest

from flyball.backend import ACTIVATIONS
from parity.cases import OPERATIONS, Make
from parity.harness import BACKENDS, PARAMETERS

ROWS, COLUMNS = 6, 8
ARRAYS = [
    pytest.param(name, key, id=f"{name}-{key}")
    for name, operation in OPERATIONS.items()
    for key, value in operation.arguments(Make("float32", 0), ROWS, COLUMNS, **operation.variants[-1]).items()
    if isinstance(value, np.ndarray)
]


def arguments_of(name, dtype="float32"):
    return OPERATIONS[name].arguments(Make(dtype, 0), ROWS, COLUMNS, **OPERATIONS[name].variants[-1])


def strided(value):
    wide = np.empty((*value.shape[:-1], value.shape[-1] * 2), value.dtype)
    wide[..., ::2] = value
    return wide[..., ::2]


def unaligned(value):
    buffer = np.empty(value.nbytes + 1, np.uint8)
    view = buffer[1:].view(value.dtype).reshape(value.shape)
    view[...] = value
    return view


def read_only(value):
    value = value.copy()
    value.flags.writeable = False
    return value


DAMAGE = {
    "float64": lambda value: value.astype(np.float64),
    "float32": lambda value: value.astype(np.float32),
    "float16": lambda value: value.astype(np.float16),
    "int32": lambda value: value.astype(np.int32),
    "int64": lambda value: value.astype(np.int64),
    "bool": lambda value: value.astype(bool),
    "complex": lambda value: value.astype(complex),
    "big-endian": lambda value: value.astype(value.dtype.newbyteorder(">")),
    "strided": strided,
    "reversed": lambda value: value[::-1],
    "fortran": np.asfortranarray,
    "unaligned": unaligned,
    "read-only": read_only,
    "shorter": lambda value: np.ascontiguousarray(value[:-1]),
    "longer": lambda value: np.concatenate([value, value[:1]]),
    "another axis": lambda value: value[None],
    "no axis": lambda value: value.reshape(-1)[:1].reshape(()),
    "flat": lambda value: value.reshape(-1),
    "empty": lambda value: value[:0],
    "transposed": lambda value: np.ascontiguousarray(value.T),
}


def outcome(backend, name, arguments):
    """Return the exception's type and text, or None and the arguments as they were left."""
    before = {key: value.tobytes() for key, value in arguments.items() if isinstance(value, np.ndarray)}
    try:
        getattr(BACKENDS[backend], name)(*(arguments[key] for key in PARAMETERS[name]))
    except (TypeError, ValueError) as error:
        after = {key: value.tobytes() for key, value in arguments.items() if isinstance(value, np.ndarray)}
        assert before == after, "an operation that refused its arguments changed them"
        return type(error), str(error)
    return None, arguments


def compare(name, make_arguments):
    kinds, texts = zip(*(outcome(backend, name, make_arguments()) for backend in BACKENDS), strict=True)
    assert kinds[0] is kinds[1], texts
    if kinds[0] is not None:
        assert texts[0] == texts[1]
    return kinds[0], texts[0]


@pytest.mark.parametrize(("name", "key"), ARRAYS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_damaged_arrays(name, key):
    for damage, function in DAMAGE.items():

        def damaged(function=function):
            with np.errstate(invalid="ignore"):
                arguments = arguments_of(name)
                arguments[key] = function(arguments[key])
            return arguments

        kind, text = compare(name, damaged)
        if kind is not None and damage not in ("float64", "no axis", "another axis"):
            # The array that is wrong is named, or one whose shape it sets.
            assert any(text.startswith(parameter) for parameter in PARAMETERS[name]), text


def laid_over(arguments, one, other, shift):
    """Put two arrays of the arguments into one buffer, ``shift`` bytes apart."""
    a, b = arguments[one], arguments[other]
    buffer = np.zeros(max(a.nbytes + shift, b.nbytes) + 16, np.uint8)
    first = buffer[shift : shift + a.nbytes].view(a.dtype).reshape(a.shape)
    second = buffer[: b.nbytes].view(b.dtype).reshape(b.shape)
    second[...] = b
    return {**arguments, one: first, other: second}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("shift", [0, 8])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_overlaps(name, shift):
    arrays = [key for key, value in arguments_of(name).items() if isinstance(value, np.ndarray)]
    refused = 0
    for one in arrays:
        for other in arrays:
            if one != other:
                kind, text = compare(name, lambda: laid_over(arguments_of(name), one, other, shift))  # noqa: B023
                refused += kind is ValueError and "must not overlap" in text
    if shift and len(arrays) > 1 and max(arguments_of(name)[key].nbytes for key in arrays) > shift:
        assert refused > 0


@pytest.mark.parametrize("name", [name for name in OPERATIONS if "activation" in arguments_of(name)])
def test_unknown_activation(name):
    _, text = compare(name, lambda: {**arguments_of(name), "activation": "tan"})
    rectifies = name.removeprefix("ghost_").startswith("batch_norm")
    known = "'linear' or 'relu'" if rectifies else f"one of {', '.join(ACTIVATIONS)}"
    assert text == f"activation must be {known}, got 'tan'"


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_what_a_derivative_needs(activation):
    arguments = {**arguments_of("activation_backward"), "activation": activation, "x": None, "y": None}
    kind, text = compare("activation_backward", lambda: dict(arguments))
    source = ACTIVATIONS[activation]
    if source == "nothing":
        assert kind is None
    else:
        assert (kind, text) == (ValueError, f"{source} must be given for the derivative of {activation}, got None")


@pytest.mark.parametrize(
    ("name", "key", "text"),
    [
        ("softmax_cross_entropy", "labels", "labels must be in [0, 8), got {} at row 3"),
        ("gather", "rows", "rows must be in [0, 8), got {} at position 3"),
        ("gather_labels", "rows", "rows must be in [0, 8), got {} at position 3"),
    ],
)
@pytest.mark.parametrize("bad", [-1, 8, 2**62, -(2**63)])
def test_indices_out_of_range(name, key, text, bad):
    def with_bad_index():
        arguments = arguments_of(name)
        arguments[key][3:5] = bad
        return arguments

    assert compare(name, with_bad_index) == (ValueError, text.format(bad))


def test_a_mask_that_is_neither_given_nor_drawn():
    kind, text = compare("dropout_forward", lambda: {**arguments_of("dropout_forward"), "draw": False, "mask": None})
    assert (kind, text) == (ValueError, "mask must be given unless draw is true, got None")


@pytest.mark.parametrize("name", ["mix_rows", "paste_boxes", "swap_features"])
def test_partners_out_of_range(name):
    def with_bad_partner():
        arguments = arguments_of(name)
        arguments["partners"][2] = 6
        return arguments

    assert compare(name, with_bad_partner) == (ValueError, "partners must be in [0, 6), got 6 at row 2")


@pytest.mark.parametrize("box", [(-1, 0, 1, 1), (0, 3, 1, 2), (0, 0, 2, 1), (0, 0, 1, 9)])
def test_boxes_outside_the_image(box):
    def with_bad_box():
        arguments = arguments_of("paste_boxes")
        arguments["boxes"][4] = box
        return arguments

    text = f"boxes must be (top, left, bottom, right) inside (1, 8), got {box} at row 4"
    assert compare("paste_boxes", with_bad_box) == (ValueError, text)


@pytest.mark.parametrize(("name", "key"), [("affine_transform", "width"), ("adjust_pixels", "channels")])
@pytest.mark.parametrize("bad", [0, -3, 2**40])
def test_extents_of_no_image(name, key, bad):
    bits = 12 if key == "channels" else 20
    text = f"{key} must be in [1, 2**{bits}], got {bad}"
    assert compare(name, lambda: {**arguments_of(name), key: bad}) == (ValueError, text)


def test_fill_mode_out_of_range():
    _, text = compare("affine_transform", lambda: {**arguments_of("affine_transform"), "fill_mode": 4})
    assert text == "fill_mode must be in [0, 4), got 4"


def test_labels_out_of_range():
    def with_bad_label():
        return {**arguments_of("adjust_pixels"), "labels": np.array([0, 1, 2, 4, 0, 0])}

    assert compare("adjust_pixels", with_bad_label) == (ValueError, "labels must be in [0, 4), got 4 at row 3")
