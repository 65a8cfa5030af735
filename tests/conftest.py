"""What all tests share: the state of the process is put back, and hypothesis runs without deadlines."""

import os
import signal

import pytest
from hypothesis import settings
from parity.harness import LEVELS

import flyball._core as native
from flyball import backend

# Machines that run tests are shared: a deadline would measure the neighbours.
settings.register_profile("flyball", deadline=None, max_examples=30, derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "flyball"))


@pytest.fixture(autouse=True)
def _restore_process_state():
    info, threads = native.build_info(), native.get_num_threads()
    active = backend._active
    yield
    native.set_level(info["active_level"])
    native.set_second_level_bytes(info["second_level_bytes"])
    native.set_num_threads(threads)
    backend._active = active


@pytest.fixture(params=["native", "reference"])
def each_backend(request):
    """Run a test on both backends; the value is the backend's name."""
    backend.use_backend(request.param)
    return request.param


@pytest.fixture(params=LEVELS)
def each_level(request):
    """Run a test at every instruction set the processor has; the value is the level's name."""
    native.set_level(request.param)
    return request.param


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    """Run a test with both dtypes; the value is the dtype's name."""
    return request.param


@pytest.fixture
def interruptible():
    """Let SIGINT raise KeyboardInterrupt, also in a shell's background job, which is started with SIGINT ignored."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)
