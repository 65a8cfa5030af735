# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
# distutils: language = c++
"""The epoch loop: steps in native code without the GIL, looking up now and then for Ctrl-C and progress."""

import time

from cpython.exc cimport PyErr_CheckSignals
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport int64_t, uint64_t

cdef extern from "flyball/program.h" namespace "flyball" nogil:
    cdef cppclass StepRunner:
        void enter()
        void leave()
        int64_t run(
            const int64_t* bounds,
            const double* learning_rates,
            uint64_t first,
            int64_t begin,
            int64_t end,
            double seconds,
        )

# Ctrl-C is answered within a tenth of a second; a slice shorter than that leaves room for its last step.
cdef double SLICE = 0.05


def run(program, steps, progress, double interval, between):
    """Run the steps of an epoch; see ``flyball.program.runners.Runner.run``."""
    cdef const int64_t[::1] bounds = steps.bounds
    cdef const double[::1] learning_rates = steps.learning_rates
    cdef uint64_t first = steps.first
    cdef int64_t count = bounds.shape[0] - 1
    cdef int64_t done = 0
    counters = steps.counters
    if learning_rates.shape[0] != count or count <= 0:
        raise ValueError(f"learning_rates must have one value a step ({count}), got {learning_rates.shape[0]}")
    capsule = program.runner()
    cdef StepRunner* runner = <StepRunner*> PyCapsule_GetPointer(capsule, "flyball.StepRunner")
    cdef double reported = time.perf_counter()
    runner.enter()
    try:
        while done < count:
            with nogil:
                done += runner.run(&bounds[0], &learning_rates[0], first, done, count, SLICE)
            # Steps.count, but here, where no Ctrl-C breaks in: a step done and not counted would be done again.
            steps.done = done
            for owner, name, before in counters:
                setattr(owner, name, before + done)
            PyErr_CheckSignals()
            if between is not None:
                between()
            if progress is not None and time.perf_counter() - reported >= interval:
                progress(done)
                reported = time.perf_counter()
    finally:
        runner.leave()
