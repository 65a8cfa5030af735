// Kernels of normalisation, one thread each. Three shapes of work:
//
// - columns: `rows` x `columns` of arrays whose rows are `ld` elements apart, a column a channel;
// - planes: `rows` x `columns` planes of `width` consecutive elements, rows `ld` and planes of a row `stride` elements
//   apart, a column of planes a channel;
// - rows: each row of (rows, columns) on its own.
//
// Channels are independent of each other: any partition of them gives the same bits. Statistics and sums of one call
// run in T over what it is given, which is therefore little (ops/channels.h says how much), and are combined in double.
#pragma once

#include "flyball/params.h"

namespace flyball {

// What happens to each element, channel by channel: forward z = (x - center) * slope + offset, backward
// dx = g * slope + (x - center) * scale + shift. The center is the mean rounded to T; offset and shift make up for the
// rounding.
template <class T>
struct ColumnMap {
  T* center;
  T* slope;
  T* offset;
  T* scale;
  T* shift;
};

// Where results go: the caches, or past them.
enum class Stores : bool { cached, streamed };

// Whether sums over channels that share a mean are already those of dz * gamma.
enum class Weighted : bool { no, yes };

// Steps between planes, in elements.
struct PlaneSteps {
  Index ld;
  Index stride;
};

template <class T>
struct NormKernels {
  // --- statistics of channels: doubles ---
  // Adds `other_count` values' moments to those of `count` values.
  void (*merge_moments)(double* mean, double* m2, Index count, const double* other_mean, const double* other_m2,
                        Index other_count, Index columns);
  // rstd, which holds m2, becomes 1 / sqrt(m2 / count + epsilon); updates the running statistics unless they are null.
  void (*finish_moments)(double* rstd, T* running_mean, T* running_var, const double* mean, Index count,
                         const BatchNormParams& params, Index columns);
  // The same from running statistics.
  void (*running_moments)(double* mean, double* rstd, const T* running_mean, const T* running_var, double epsilon,
                          Index columns);
  // What makes of a product x, to which a bias (or null) is added, its normalisation scale * x + shift. `rstd` is
  // scratch.
  void (*inference_factors)(T* scale, T* shift, double* rstd, const RunningNorm<T>& norm, const T* bias, Index columns);
  // Fills center, slope and offset with the normalisation, times `factor`. gamma and beta may be null.
  void (*normalise_map)(ColumnMap<T> map, const double* mean, const double* rstd, const T* gamma, const T* beta,
                        double factor, Index columns);
  // gradient_sums become sum(dz) and sum(dz * xhat), dz = g * factor.
  void (*finish_sums)(double* sum, double* product, const double* mean, const double* rstd, double factor,
                      Index columns);
  // scale and shift of the input gradient, and dgamma and dbeta (each may be null), from finished sums over `count`
  // values.
  void (*gradient_map)(ColumnMap<T> map, T* dgamma, T* dbeta, const double* sum, const double* product, const T* gamma,
                       const double* mean, const double* rstd, Index count, Weighted weighted, Index columns);

  // --- columns ---
  // mean = mean(x), m2 = sum((x - mean)**2) of the rows, of which there is at least one.
  void (*moments)(double* mean, double* m2, const T* x, Index ld, Index rows, Index columns);
  // y = activation(z) where mask is null or set, else 0. y may be x.
  void (*normalise)(T* y, const T* x, const std::uint8_t* mask, ColumnMap<T> map, Activation activation, Stores stores,
                    Index ld, Index rows, Index columns);
  // In the backward pass g = dy where mask is null or set and, with ReLU, z > 0, else 0: z is found again, because
  // reading y took longer.
  // sum += sum(g), product += sum(g * (x - center)).
  void (*gradient_sums)(double* sum, double* product, const T* dy, const T* x, const std::uint8_t* mask,
                        ColumnMap<T> map, Activation activation, Index ld, Index rows, Index columns);
  // dx, whose rows are dx_ld elements apart, may be dy.
  void (*input_gradient)(T* dx, Index dx_ld, const T* dy, const T* x, const std::uint8_t* mask, ColumnMap<T> map,
                         Activation activation, Stores stores, Index ld, Index rows, Index columns);
  // sum += sum(x).
  void (*column_sums)(double* sum, const T* x, Index ld, Index rows, Index columns);

  // --- planes: the same ---
  void (*plane_moments)(double* mean, double* m2, const T* x, PlaneSteps steps, Index rows, Index columns, Index width);
  void (*plane_normalise)(T* y, const T* x, const std::uint8_t* mask, ColumnMap<T> map, Activation activation,
                          Stores stores, PlaneSteps steps, Index rows, Index columns, Index width);
  void (*plane_gradient_sums)(double* sum, double* product, const T* dy, const T* x, const std::uint8_t* mask,
                              ColumnMap<T> map, Activation activation, PlaneSteps steps, Index rows, Index columns,
                              Index width);
  void (*plane_input_gradient)(T* dx, const T* dy, const T* x, const std::uint8_t* mask, ColumnMap<T> map,
                               Activation activation, Stores stores, PlaneSteps steps, Index rows, Index columns,
                               Index width);

  // --- rows; gamma, beta and mean may be null: without mean, x is divided by its root mean square ---
  // gamma and beta have `period` rows; row i of the call takes row (first + i) % period of them, first being 0
  // backward.
  void (*row_normalise)(T* y, double* mean, double* rstd, const T* x, const T* gamma, const T* beta, double epsilon,
                        Stores stores, Index first, Index period, Index rows, Index columns);
  // dgamma += sum(dy * xhat), dbeta += sum(dy), in T over the rows; dx (null or not) may be dy.
  void (*row_gradient)(T* dx, T* dgamma, T* dbeta, const T* dy, const T* x, const T* gamma, const double* mean,
                       const double* rstd, Stores stores, Index period, Index rows, Index columns);
};

}  // namespace flyball
