// Kernels of the data family, one thread each.
#pragma once

#include "flyball/params.h"

namespace flyball {

template <class T>
struct DataKernels {
  // out[i] = row rows[i] of x, n rows of c elements converted to T
  void (*gather)(T* out, Source x, const Index* rows, Index n, Index c);
  // whether none of so many elements is inf or nan
  bool (*all_finite)(const T* x, Index count);
};

}  // namespace flyball
