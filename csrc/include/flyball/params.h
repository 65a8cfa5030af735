// Scalars of the operations, as plain structs: what travels from Python to a kernel beside arrays and sizes.
#pragma once

#include "flyball/types.h"

namespace flyball {

// Address of a stream of random numbers; the element index completes it.
struct RandomKey {
  std::uint64_t seed;
  std::uint32_t stream;
  std::uint64_t step;  // < 2**48
};

// Dropout keeps an element where its 16 random bits are below the threshold.
struct Keep {
  std::uint32_t threshold;  // keep_probability * 65536, 1..65536
  double scale() const { return 65536.0 / threshold; }
};

struct ActivationParams {
  Activation kind;
  double alpha;  // negative slope of leaky_relu, scale of elu; ignored by the others
};

// A dropped element becomes `dropped`, another x * scale + shift.
struct DropoutMap {
  double scale;
  double shift = 0;
  double dropped = 0;
};

// Masks hold a byte (0 or 1) an element, or a bit, the first of a byte being its lowest.
enum class MaskLayout : int { bytes, bits };

// A mask in memory; data is null where there is none.
template <class Byte>
struct MaskOf {
  Byte* data = nullptr;
  MaskLayout layout = MaskLayout::bytes;

  // From element i on, a multiple of 8 unless elements have bytes.
  MaskOf at(Index i) const {
    return {data == nullptr ? data : data + (layout == MaskLayout::bits ? i / 8 : i), layout};
  }
};
using Mask = MaskOf<std::uint8_t>;
using ConstMask = MaskOf<const std::uint8_t>;

struct BatchNormParams {
  double momentum;  // share of the old running value that is kept
  double epsilon;
  bool unbiased;  // running variance takes N / (N - 1) of the batch's
  Activation activation;
};

// g' = g + l1 * sign(w) + l2 * w, and w shrinks by learning_rate * weight_decay beside the step.
struct Penalty {
  double l1;
  double l2;
  double weight_decay;
};

struct SgdParams {
  double learning_rate;
  double momentum;
  bool nesterov;
  Penalty penalty;
};

struct AdamParams {
  double learning_rate;
  double beta_1;
  double beta_2;
  double epsilon;
  std::int64_t step;  // from 1
  Penalty penalty;
};

// Element types that rows can be gathered from; an array of bool is one of uint8.
enum class SourceType : int { float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64 };

// Rows of elements of `type`, one after the other within a row, rows `row_bytes` apart.
struct Source {
  const void* data;
  Index row_bytes;
  SourceType type;
};

}  // namespace flyball
