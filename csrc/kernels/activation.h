// Kernels of the activations, one thread each, on `count` consecutive elements.
#pragma once

#include "flyball/types.h"

namespace flyball {

template <class T>
struct ActivationKernels {
  void (*relu_forward)(T* y, const T* x, Index count);
  void (*relu_backward)(T* dx, const T* dy, const T* y, Index count);
};

}  // namespace flyball
