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

  // sum(l1 * |x| + l2 / 2 * x^2) in double, and dx = dy + l1 * sign(x) + l2 * x.
  double (*activity_penalty)(const T* x, Index count, double l1, double l2);
  void (*activity_penalty_backward)(T* dx, const T* dy, const T* x, Index count, double l1, double l2);

  // On n rows of c elements.
  void (*softmax_forward)(T* y, const T* x, Index n, Index c);
  void (*softmax_backward)(T* dx, const T* dy, const T* y, Index n, Index c);
  void (*log_softmax_forward)(T* y, const T* x, Index n, Index c);
  void (*log_softmax_backward)(T* dx, const T* dy, const T* y, Index n, Index c);
};

}  // namespace flyball
