// Kernels of the losses, one thread each, on n rows of c elements. hits, weights and the
// gradients may be null.
#pragma once

#include "flyball/params.h"

namespace flyball {

template <class T>
struct LossKernels {
  void (*softmax_cross_entropy)(double* losses, double* hits, T* dlogits, const T* logits, const Index* labels,
                                const T* weights, Index n, Index c, double smoothing, double scale);
  void (*softmax_cross_entropy_soft)(double* losses, double* hits, T* dlogits, const T* logits, const T* targets,
                                     const T* weights, Index n, Index c, double scale);
  void (*pointwise_loss)(double* losses, T* dpredictions, const T* predictions, const T* targets, const T* weights,
                         Index n, Index c, LossParams params, double scale);
};

}  // namespace flyball
