// Kernels of what happens to weights and gradients around a step, one thread each.
#pragma once

#include "flyball/params.h"

namespace flyball {

template <class T>
struct WeightsKernels {
  // sum((g + l1 * sign(w) + l2 * w)^2) in double; w may be null.
  double (*squared_norm)(const T* g, const T* w, Index count, double l1, double l2);
  // y = keep * y + scale * x; with keep = 0 y is not read.
  void (*combine)(T* y, const T* x, Index count, double keep, double scale);

  // Of `rows` x `columns` whose rows are `ld` elements apart: sums += column sums of w^2; w *= scale, by column.
  void (*column_squares)(double* sums, const T* w, Index ld, Index rows, Index columns);
  void (*scale_columns)(T* w, const double* scale, Index ld, Index rows, Index columns);
};

}  // namespace flyball
