// Kernels of the augment family, one thread each.
#pragma once

#include "flyball/params.h"

namespace flyball {

// Random numbers of a sample.
inline constexpr Index sample_words = 32;

// Luminance of red, green and blue (ITU-R BT.601).
inline constexpr double grey_weights[] = {0.299, 0.587, 0.114};

template <class T>
struct AugmentKernels {
  // Bytes of memory that affine takes.
  std::size_t (*affine_bytes)(const AffineParams& params);
  // y (n, out_size), x (n, in_size), matrices (n, 6): each image of y from its own of x, which it may be.
  void (*affine)(T* y, const T* x, const double* matrices, Index n, const AffineParams& params, void* memory);
  // u (n, sample_words), uniform in (0, 1): of samples from `first` on
  void (*sample_uniforms)(double* u, Index first, Index n, RandomKey key);
  // sums (channels) of an image's pixels
  void (*channel_sums)(double* sums, const T* x, Index pixels, Index channels);
  // an image's y = clip(own * x + grey * grey_value + shift); map (3, channels) is own, grey, shift
  void (*map_pixels)(T* y, const T* x, const double* map, Index pixels, Index channels, PixelRange range);
  // the hue of three channels, in place
  void (*turn_hues)(T* y, double turns, Index pixels);
  void (*map_tones)(T* y, const T* x, Index count, ToneMap map);
  // y = clip(x + deviation * scale * noise), n rows of c elements, scale (c) or null
  void (*add_noise)(T* y, const T* x, const T* noise, const T* scale, Index n, Index c, double deviation,
                    PixelRange range);
  // y = weight * a + (1 - weight) * b
  void (*mix)(T* y, const T* a, const T* b, Index count, double weight);
  // y = x where the mask is set, else other, or fill_value where other is null
  void (*swap_features)(T* y, const T* x, const T* other, const std::uint8_t* mask, Index count, double fill_value);
};

}  // namespace flyball
