// Kernels of batch normalisation, one thread each, on `rows` x `columns` of arrays whose rows are `ld` elements apart.
//
// Columns are independent of each other: any partition of them gives the same bits. Statistics and sums of one call
// run in T over its rows, which are therefore few (ops/norm.cpp says how many), and are combined in double.
#pragma once

#include "flyball/params.h"

namespace flyball {

// What happens to each row, column by column: forward y = (x - center) * scale + shift, backward
// dx = dz * slope + (x - center) * scale + shift. The center is the mean rounded to T; shift makes up for the rounding.
template <class T>
struct ColumnMap {
  T* center;
  T* scale;
  T* shift;
  T* slope;
};

template <class T>
struct NormKernels {
  // mean = mean(x), m2 = sum((x - mean)**2) of the rows, of which there is at least one.
  void (*moments)(double* mean, double* m2, const T* x, Index ld, Index rows, Index columns);
  // Adds other_rows rows' moments to those of `rows` rows.
  void (*merge_moments)(double* mean, double* m2, Index rows, const double* other_mean, const double* other_m2,
                        Index other_rows, Index columns);
  // rstd, which holds m2, becomes 1 / sqrt(m2 / rows + epsilon); updates the running statistics unless they are null;
  // fills the map with the normalisation, times `factor`. gamma and beta may be null.
  void (*finish_moments)(ColumnMap<T> map, double* rstd, T* running_mean, T* running_var, const double* mean,
                         const T* gamma, const T* beta, Index rows, const BatchNormParams& params, double factor,
                         Index columns);
  // Fills the map with the normalisation by running statistics.
  void (*inference_map)(ColumnMap<T> map, const T* gamma, const T* beta, const T* running_mean, const T* running_var,
                        double epsilon, Index columns);
  // y = activation(map(x)) where mask is null or set, else 0. y may be x.
  void (*normalise)(T* y, const T* x, const std::uint8_t* mask, ColumnMap<T> map, Activation activation, Index ld,
                    Index rows, Index columns);

  // In the backward pass g = dy where y > 0 (y not null), else dy where mask is set (mask not null), else dy.
  // sum += sum(g), product += sum(g * (x - T(mean))).
  void (*gradient_sums)(double* sum, double* product, const T* dy, const T* y, const T* x, const std::uint8_t* mask,
                        const double* mean, Index ld, Index rows, Index columns);
  // dgamma, dbeta (each may be null) and the map of the input gradient from gradient_sums; dz = g * factor.
  void (*finish_gradient)(ColumnMap<T> map, T* dgamma, T* dbeta, const double* sum, const double* product,
                          const T* gamma, const double* mean, const double* rstd, Index rows, double factor,
                          Index columns);
  // dx = map(g, x). dx may be dy.
  void (*input_gradient)(T* dx, const T* dy, const T* y, const T* x, const std::uint8_t* mask, ColumnMap<T> map,
                         Index ld, Index rows, Index columns);

  // sum += sum(x).
  void (*column_sums)(double* sum, const T* x, Index ld, Index rows, Index columns);
};

}  // namespace flyball
