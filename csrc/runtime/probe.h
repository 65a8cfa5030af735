// The limits of this machine, measured: what profiles compare with.
#pragma once

#include "flyball/types.h"

namespace flyball {

// Floating-point operations a second of independent multiply-adds, on `threads` threads at the active level: the most
// of `trials`, each of which takes about a twelfth of a millisecond.
template <class T>
double measure_multiply_adds(int threads, int trials);

// Bytes a second that `threads` threads read and write when they walk over `bytes` bytes again and again.
double measure_bandwidth(int threads, Index bytes);

}  // namespace flyball
