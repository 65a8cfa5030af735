// Kernels of the updates, one thread each, on `count` consecutive elements.
//
// They return the penalty of the weights before the step, sum(l1 * |w| + l2 / 2 * w^2), if `with_sum`, else 0.
// gradient_scale multiplies g.
#pragma once

#include "flyball/params.h"

namespace flyball {

// w moves by -(mean_rate * m + gradient_rate * g) / (sqrt(v) + epsilon): the bias corrections are in these numbers.
struct AdamStep {
  double mean_rate;
  double gradient_rate;
  double epsilon;
};

template <class T>
struct UpdateKernels {
  // velocity may be null
  double (*sgd)(T* w, T* velocity, const T* g, Index count, double gradient_scale, const SgdParams& params,
                bool with_sum);
  // v_max may be null
  double (*adam)(T* w, T* m, T* v, T* v_max, const T* g, Index count, double gradient_scale, const AdamStep& step,
                 const AdamParams& params, bool with_sum);
  // m and velocity may be null
  double (*rms)(T* w, T* v, T* m, T* velocity, const T* g, Index count, double gradient_scale, const RmsParams& params,
                bool with_sum);
  // rate is the learning rate with the bias correction in it
  double (*adamax)(T* w, T* m, T* u, const T* g, Index count, double gradient_scale, double rate,
                   const AdamaxParams& params, bool with_sum);
  double (*adadelta)(T* w, T* v, T* d, const T* g, Index count, double gradient_scale, const AdadeltaParams& params,
                     bool with_sum);
  double (*lion)(T* w, T* m, const T* g, Index count, double gradient_scale, const LionParams& params, bool with_sum);
};

// For arrays in the caches, and for those that lie beyond: their elements are asked for before they are needed. From
// memory there are sgd, adam without v_max, and rms without m and velocity, and no rare penalties: size has its price.
template <class T>
struct UpdateVariants {
  UpdateKernels<T> from_caches;
  UpdateKernels<T> from_memory;
};

}  // namespace flyball
