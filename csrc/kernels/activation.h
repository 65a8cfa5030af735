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

  // The general ReLU, whose gradient is computed from x.
  void (*relu_forward)(T* y, const T* x, Index count, ReluParams params);
  void (*relu_backward)(T* dx, const T* dy, const T* x, Index count, ReluParams params);

  // n rows of c columns, ld apart; the slope below 0 is alpha[j]. dalpha[j] = sum of the column's dy * min(x, 0); dx
  // may be null.
  void (*prelu_forward)(T* y, const T* x, const T* alpha, Index ld, Index n, Index c);
  void (*prelu_backward)(T* dx, double* dalpha, const T* dy, const T* x, const T* alpha, Index ld, Index n, Index c);

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
