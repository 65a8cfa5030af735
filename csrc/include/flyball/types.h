// Types that every layer of the native side shares.
#pragma once

#include <cstddef>
#include <cstdint>

// Of a function that kernels call: compiled for one instruction set, it must not be a symbol that other code may get.
#define FLYBALL_INLINE inline __attribute__((always_inline))

namespace flyball {

using Index = std::int64_t;

// Half-open range of rows, columns, blocks or elements.
struct Range {
  Index begin;
  Index end;
  FLYBALL_INLINE Index size() const { return end - begin; }
};

// A matrix operand of any layout: element (i, j) is data[i * row_stride + j * column_stride].
template <class T>
struct Matrix {
  const T* data;
  Index row_stride;
  Index column_stride;

  FLYBALL_INLINE Matrix transposed() const { return {data, column_stride, row_stride}; }
};

// Activations, by the names of backend.ACTIVATIONS and in its order.
enum class Activation : int {
  linear,
  relu,
  leaky_relu,
  relu6,
  elu,
  selu,
  gelu,
  gelu_tanh,
  sigmoid,
  hard_sigmoid,
  tanh,
  silu,
  softplus,
  softsign,
  exponential,
  mish
};

// What the derivative of an activation is computed from. That of the output wherever it can be: then the input need not
// be kept for the backward pass.
enum class DerivativeOf : int { nothing, output, input };

constexpr DerivativeOf derivative_of(Activation activation) {
  switch (activation) {
    case Activation::linear:
      return DerivativeOf::nothing;
    case Activation::gelu:
    case Activation::gelu_tanh:
    case Activation::silu:
    case Activation::mish:
      return DerivativeOf::input;
    default:
      return DerivativeOf::output;
  }
}

// Losses that are a sum or mean over the elements of a row, by the names of backend.LOSSES and in its order.
enum class Loss : int {
  mean_squared_error,
  mean_absolute_error,
  huber,
  log_cosh,
  hinge,
  squared_hinge,
  poisson,
  binary_cross_entropy,
  binary_cross_entropy_logits,
  categorical_cross_entropy,
  kl_divergence,
  mean_absolute_percentage_error,
  mean_squared_logarithmic_error,
  cosine_similarity
};

// Losses of whole rows, or with several parameters, by the names of backend.ROW_LOSSES and in its order.
enum class RowLoss : int {
  binary_focal_cross_entropy,
  binary_focal_cross_entropy_logits,
  categorical_focal_cross_entropy_logits,
  categorical_generalized_cross_entropy_logits,
  categorical_hinge
};

}  // namespace flyball
