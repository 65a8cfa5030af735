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


cdef class Loop:
    """Runs steps of a Program, each time it is called; see ``flyball.program.runners.Runner.run``."""

    cdef object program, steps
    cdef StepRunner* runner
    cdef const int64_t[::1] bounds
    cdef const double[::1] learning_rates
    cdef uint64_t first
    cdef int64_t count

    def __init__(self, program, steps):
        self.program = program
        self.steps = steps
        self.runner = <StepRunner*> PyCapsule_GetPointer(program.runner(), "flyball.StepRunner")
        self.bounds = steps.bounds
        self.learning_rates = steps.learning_rates
        self.first = steps.first
        self.count = self.bounds.shape[0] - 1
        cdef int64_t rates = self.learning_rates.shape[0]
        if rates != self.count or rates == 0:
            raise ValueError(f"learning_rates must have one value a step ({self.count}), got {rates}")

    def __call__(self, progress=None, double interval=0.1, between=None):
        cdef int64_t done = 0
        cdef double reported = 0.0 if progress is None else time.perf_counter()
        self.runner.enter()
        try:
            while done < self.count:
                with nogil:
                    done += self.runner.run(
                        &self.bounds[0], &self.learning_rates[0], self.first, done, self.count, SLICE
                    )
                # Steps.count, but here, where no Ctrl-C breaks in: a step done and not counted would be done again.
                self.steps.done = done
                for owner, name, before in self.steps.counters:
                    setattr(owner, name, before + done)
                PyErr_CheckSignals()
                if between is not None:
                    between()
                if progress is not None and time.perf_counter() - reported >= interval:
                    progress(done)
                    reported = time.perf_counter()
        finally:
            self.runner.leave()
