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

// Dropout keeps an element where its 16 random bits are below the threshold; at one half a single bit decides.
struct Keep {
  std::uint32_t threshold;  // keep_probability * 65536, 1..65536
  double scale() const { return 65536.0 / threshold; }
  bool half() const { return threshold == 65536 / 2; }
};

// The general ReLU: min(x, highest) above the threshold, slope * (x - threshold) elsewhere.
struct ReluParams {
  double slope;
  double threshold;
  double highest;
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

struct LossParams {
  Loss kind;
  double delta;  // of huber; ignored by the others
};

struct RowLossParams {
  RowLoss kind;
  double gamma;     // exponent of the focal and the generalized ones
  double positive;  // weights of targets 1 and 0 of the binary focal ones
  double negative;
};

// The share of what two sets have in common, in which what only one has counts differently; see backend/loss.py.
struct OverlapParams {
  double alpha;
  double beta;
  double epsilon;
  bool whole;  // one loss of all rows together
};

// Batch normalisation in inference: an element a channel each; gamma and beta may be null.
template <class T>
struct RunningNorm {
  const T* gamma;
  const T* beta;
  const T* mean;
  const T* var;
  double epsilon;

  // Of the channels from j on.
  RunningNorm from(Index j) const {
    return {gamma == nullptr ? gamma : gamma + j, beta == nullptr ? beta : beta + j, mean + j, var + j, epsilon};
  }
};

struct BatchNormParams {
  double momentum;  // share of the old running value that is kept
  double epsilon;
  bool unbiased;  // running variance takes N / (N - 1) of the batch's
  Activation activation;
};

// What every update does beside its own step; see flyball.backend.update.Updates.
struct Penalty {
  double l1;
  double l2;
  double weight_decay;  // decoupled: w shrinks by learning_rate * weight_decay beside the step
  bool proximal;        // l1 by soft-thresholding after the step instead of in the gradient
  double clip_value;    // infinity: no clipping
  bool clip_penalty;    // gradient scale and clip_value take in the penalties' gradient

  FLYBALL_INLINE bool has_l1_or_clip() const { return l1 != 0.0 || clip_value != __builtin_inf(); }
  // What few ask for: kernels have loops of their own for it.
  FLYBALL_INLINE bool rare() const { return has_l1_or_clip() && (proximal || clip_penalty); }
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
  bool nesterov;
  Penalty penalty;
};

// RMSprop and Adagrad.
struct RmsParams {
  double learning_rate;
  double keep;  // v = keep * v + fresh * g^2
  double fresh;
  double momentum;
  double epsilon;
  bool epsilon_inside;  // sqrt(v + epsilon) instead of sqrt(v) + epsilon
  Penalty penalty;
};

struct AdamaxParams {
  double learning_rate;
  double beta_1;
  double beta_2;
  double epsilon;
  std::int64_t step;  // from 1
  Penalty penalty;
};

struct AdadeltaParams {
  double learning_rate;
  double rho;
  double epsilon;
  Penalty penalty;
};

struct LionParams {
  double learning_rate;
  double beta_1;
  double beta_2;
  Penalty penalty;
};

// A norm is moved by `rate` of the way into [low, high].
struct NormBounds {
  double low;
  double high;
  double rate;
};

// Element types that rows can be gathered from; an array of bool is one of uint8.
enum class SourceType : int { float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64 };

// Rows of elements of `type`, one after the other within a row, rows `row_bytes` apart.
struct Source {
  const void* data;
  Index row_bytes;
  SourceType type;
};

// How an image goes on beyond its edges; the order is that of backend.augment.FILL_MODES.
enum class FillMode : int { constant, nearest, reflect, wrap };

struct AffineParams {
  Index height;
  Index width;
  Index channels;
  Index out_height;
  Index out_width;
  bool nearest;  // else bilinear
  FillMode fill_mode;
  double fill_value;

  Index in_size() const { return height * width * channels; }
  Index out_size() const { return out_height * out_width * channels; }
};

// What affine_matrices draws for: images, and the window of them that is kept, up to `padding` pixels beyond an edge.
struct AffineDraw {
  Index height;
  Index width;
  Index out_height;
  Index out_width;
  Index padding;
  bool keep_aspect;  // columns zoom as rows do
};

// What one image's tones are mapped by; see the kernel map_tones. No step is 0.
struct ToneMap {
  double low;
  double high;
  double addition;
  double threshold;
  double step;
};

// Boxes of images, each there with a probability, whose share of the image is 1 - Beta(alpha, alpha), or uniform in
// [low, high) where alpha is 0, and whose sides have a ratio in [1 / aspect, aspect] to the image's.
struct BoxDraw {
  Index height;
  Index width;
  double probability;
  double alpha;
  double low;
  double high;
  double aspect;
};

// Values are clipped to [low, high].
struct PixelRange {
  double low;
  double high;
};

}  // namespace flyball
