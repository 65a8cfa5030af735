// Kernels of the updates, one thread each, on `count` consecutive elements.
//
// They return the penalty of the weights before the step, sum(l1 * |w| + l2 / 2 * w^2), if `with_penalty`, else 0.
#pragma once

#include "flyball/params.h"

namespace flyball {

template <class T>
struct UpdateKernels {
  // velocity may be null
  double (*sgd)(T* w, T* velocity, const T* g, Index count, const SgdParams& params, bool with_penalty);
  // rate is the learning rate with both bias corrections in it
  double (*adam)(T* w, T* m, T* v, const T* g, Index count, double rate, const AdamParams& params, bool with_penalty);
};

}  // namespace flyball
