// What a core can do, as measuring stick for the other kernels; one thread each.
#pragma once

#include "flyball/types.h"

namespace flyball {

template <class T>
struct ProbeKernels {
  // `rounds` of independent multiply-adds on registers; returns the floating-point operations done, `sink` their
  // result.
  double (*multiply_adds)(T* sink, Index rounds);
  // y = a * x + y over `count` elements: reads two arrays, writes one.
  void (*stream)(T* y, const T* x, T a, Index count);
};

}  // namespace flyball
