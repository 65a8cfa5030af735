// Kernels of the activations, one thread each.
#pragma once

#include "flyball/types.h"

namespace flyball {

template <class T>
struct ActivationKernels {
  // On `count` consecutive elements.
  void (*relu_forward)(T* y, const T* x, Index count);
  void (*relu_backward)(T* dx, const T* dy, const T* y, Index count);

  // On n rows of c elements.
  void (*softmax_forward)(T* y, const T* x, Index n, Index c);
  void (*softmax_backward)(T* dx, const T* dy, const T* y, Index n, Index c);
};

}  // namespace flyball
