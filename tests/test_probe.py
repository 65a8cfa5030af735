"""The probe of the machine's peak issues every multiply-add that it counts: none is left out by the compiler."""

import re

import pytest
from kernel_sources import compile_family

import flyball._core as native

LEVELS = [level for level in native.build_info()["levels"] if level in ("v2", "v3", "v4")]
CHAINS = 12
FLAGS = ["-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast", "-S"]
PRODUCT = re.compile(r"^\s+v?(?:mulp|fmadd\d+p)[sd]\s", flags=re.MULTILINE)


@pytest.mark.parametrize("level", LEVELS)
def test_every_chain_multiplies(level, tmp_path):
    assembly = compile_family(level, "probe", tmp_path / "probe.s", *FLAGS).read_text()
    bodies = re.findall(r"^\w*multiply_adds\w*:.*?^\s+ret", assembly, flags=re.MULTILINE | re.DOTALL)
    counts = [len(PRODUCT.findall(body)) for body in bodies]
    assert len(counts) == 2  # float and double
    assert all(count > 0 and count % CHAINS == 0 for count in counts), counts  # a compiler may unroll the loop


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: native.measure_multiply_adds("float32", 1, 0), "trials must be an integer >= 1, got 0"),
        (lambda: native.set_second_level_bytes(-3), "size must be an integer >= 1, got -3"),
    ],
)
def test_what_cannot_be_measured_or_set(call, message):
    with pytest.raises(ValueError, match=message):
        call()
