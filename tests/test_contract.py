"""One list of operations: Protocol, stubs, native module and reference have the same names and parameters."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import flyball
import flyball._core as native
from flyball import functional, reference
from flyball.backend import OPERATIONS, Backend

RUNTIME = {
    "build_info": (),
    "level_warning": (),
    "set_level": ("level",),
    "set_second_level_bytes": ("size",),
    "get_num_threads": (),
    "set_num_threads": ("threads",),
    "measure_multiply_adds": ("dtype", "threads", "trials"),
    "measure_bandwidth": ("threads", "size"),
}
STUB = ast.parse((Path(flyball.__file__).parent / "_core.pyi").read_text(encoding="utf-8"))
STUBS = {node.name: tuple(a.arg for a in node.args.args) for node in STUB.body if isinstance(node, ast.FunctionDef)}


def pybind_parameters(function):
    """Return the parameters' names from the signature that pybind11 writes into the docstring."""
    signature = function.__doc__.splitlines()[0]
    inside = signature[signature.index("(") + 1 : signature.rindex(") ->")]
    return tuple(re.findall(r"(\w+): ", inside))


def test_there_is_something_to_compare():
    assert len(OPERATIONS) >= 21
    assert OPERATIONS["softmax_forward"] == ("y", "x")


@pytest.mark.parametrize("name", OPERATIONS)
def test_parameters_agree(name):
    assert tuple(inspect.signature(getattr(reference, name)).parameters) == OPERATIONS[name]
    assert STUBS[name] == OPERATIONS[name]
    assert pybind_parameters(getattr(native, name)) == OPERATIONS[name]


@pytest.mark.parametrize("name", RUNTIME)
def test_runtime_functions(name):
    assert STUBS[name] == RUNTIME[name]
    assert pybind_parameters(getattr(native, name)) == RUNTIME[name]


def test_nothing_extra():
    assert set(STUBS) == set(OPERATIONS) | set(RUNTIME)
    public = {name for name, value in vars(native).items() if callable(value) and not name.startswith("_")}
    classes = {node.name for node in STUB.body if isinstance(node, ast.ClassDef)} & set(vars(native))
    assert public == set(STUBS) | classes
    assert set(reference.__all__) == {*OPERATIONS, "name"}


def test_both_are_backends():
    assert isinstance(native, Backend)
    assert isinstance(reference, Backend)
    assert (native.name, reference.name) == ("native", "reference")


def test_functional_speaks_of_the_same_operations():
    functions = {name for name in functional.__all__ if inspect.isfunction(getattr(functional, name))}
    # Faces of other operations, several operations each, and a formula of moments.
    assert functions - set(OPERATIONS) == {
        "augment_images",
        "cut_mix",
        "instance_norm_backward",
        "instance_norm_forward",
        "mix_up",
        "population_statistics",
        "random_erasing",
    }
    # What these are made of.
    parts = {"cut_boxes", "mix_rows", "mix_weights", "partner_rows", "paste_boxes"}
    # What functions do in another case: distributions as labels, statistics of groups.
    cases = {"softmax_cross_entropy_soft", "ghost_batch_norm_forward", "ghost_batch_norm_backward"}
    # The others are a Program's.
    of_programs = {"loss_weights", "gather_labels", "find_not_finite", "add_total", "dropout_mask_columns"}
    assert set(OPERATIONS) - functions == {*parts, *cases, *of_programs}


@pytest.mark.parametrize("name", functional.__all__)
def test_functional_is_documented(name):
    member = getattr(functional, name)
    assert member.__doc__
    if inspect.isfunction(member):
        for section in ("Parameters", "Raises"):
            assert f"\n    {section}\n    ---" in member.__doc__
        names = " ".join(re.findall(r"^    \**([\w, ]+)(?: :.*)?$", member.__doc__, flags=re.MULTILINE))
        for parameter in inspect.signature(member).parameters:
            assert re.search(rf"\b{parameter}\b", names), f"{parameter} is not described"
