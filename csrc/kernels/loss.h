// Kernels of the losses, one thread each, on n rows of c elements. hits and the gradients may be null.
#pragma once

#include "flyball/types.h"

namespace flyball {

template <class T>
struct LossKernels {
  void (*softmax_cross_entropy)(double* losses, double* hits, T* dlogits, const T* logits, const Index* labels, Index n,
                                Index c, double scale);
  void (*softmax_cross_entropy_soft)(double* losses, double* hits, T* dlogits, const T* logits, const T* targets,
                                     Index n, Index c, double scale);
  void (*mean_squared_error)(double* losses, T* dpredictions, const T* predictions, const T* targets, Index n, Index c,
                             double scale);
};

}  // namespace flyball
