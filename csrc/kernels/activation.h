// Kernels of the activations, one thread each.
#pragma once

#include "flyball/params.h"

namespace flyball {

template <class T>
struct ActivationKernels {
  // On `count` consecutive elements.
  // y = f(x) and dx = dy * f'(x), the latter from v, the x or the y that derivative_of asks for.
  void (*activation_forward)(T* y, const T* x, Index count, ActivationParams params);
  void (*activation_backward)(T* dx, const T* dy, const T* v, Index count, ActivationParams params);

  // On n rows of c elements.
  void (*softmax_forward)(T* y, const T* x, Index n, Index c);
  void (*softmax_backward)(T* dx, const T* dy, const T* y, Index n, Index c);
  void (*log_softmax_forward)(T* y, const T* x, Index n, Index c);
  void (*log_softmax_backward)(T* dx, const T* dy, const T* y, Index n, Index c);
};

}  // namespace flyball
