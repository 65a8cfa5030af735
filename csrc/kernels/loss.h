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
  void (*row_loss)(double* losses, T* dpredictions, const T* predictions, const T* targets, const T* weights, Index n,
                   Index c, RowLossParams params, double scale);

  // sums (3) = sum(t * p), sum(t), sum(p); dp = shift + slope * t.
  void (*overlap_sums)(double* sums, const T* p, const T* t, Index count);
  void (*overlap_gradient)(T* dp, const T* t, Index count, double shift, double slope);
};

}  // namespace flyball
