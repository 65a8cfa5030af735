// Values of pixels and features. Compiled once per instruction set: see variant.h.
#pragma once

#include "kernels/mask.kernel.h"
#include "kernels/philox.kernel.h"

namespace flyball {
namespace {

// u (n, 32): the numbers of samples [first, first + n), each the words of a group in the order of its lanes,
// (word + 1/2) / 2^32.
void sample_uniforms(double* u, Index first, Index n, RandomKey key) {
  constexpr int groups = 2;
  for_each_draw<groups, 1>(first, n, key, [&](const Drawn<groups>& drawn, Index i, Index count) {
    std::uint32_t words[groups * sample_words];
    __builtin_memcpy(words, drawn.pair, sizeof words);
    double* numbers = u + i * sample_words;
    for (Index k = 0; k < count * sample_words; ++k) numbers[k] = (static_cast<double>(words[k]) + 0.5) * 0x1p-32;
  });
}

// Of numbers or vectors; nan stays.
template <class V>
FLYBALL_INLINE V clip(V v, V low, V high) {
  v = v < low ? low : v;
  return v > high ? high : v;
}

// Calls body.operator()<C>() with C = channels where that is 1, 3 or 4, so that its loops over channels vanish, else 0.
template <class Body>
FLYBALL_INLINE void for_channels(Index channels, Body body) {
  switch (channels) {
    case 1:
      return body.template operator()<1>();
    case 3:
      return body.template operator()<3>();
    case 4:
      return body.template operator()<4>();
    default:
      return body.template operator()<0>();
  }
}

// sums[k] = sum of channel k of one image.
template <class T>
void channel_sums(double* sums, const T* x, Index pixels, Index channels) {
  if (channels == 1) {
    DoubleSum<T> sum;
    for_each_vector<T>(pixels, [&](auto part, Index i) { sum.add(part.load(x + i)); });
    sums[0] = sum.total();
    return;
  }
  for_channels(channels, [&]<Index C>() {
    const Index c = C > 0 ? C : channels;
    for (Index k = 0; k < c; ++k) sums[k] = 0.0;
    double local[C > 0 ? C : 1] = {};
    double* s = C > 0 ? local : sums;
    for (Index i = 0; i < pixels; ++i, x += c) {
      for (Index k = 0; k < c; ++k) s[k] += static_cast<double>(x[k]);
    }
    for (Index k = 0; k < (C > 0 ? C : 0); ++k) sums[k] = s[k];
  });
}

// y = clip(own[k] * x + grey[k] * (grey value of the pixel) + shift[k]) of channel k; of three channels only is there
// a grey value. map: own, grey, shift, one behind the other.
template <class T>
void map_pixels(T* y, const T* x, const double* map, Index pixels, Index channels, PixelRange range) {
  const T low = static_cast<T>(range.low), high = static_cast<T>(range.high);
  if (channels == 3) {
    T own[3], grey[3], shift[3];
    for (Index k = 0; k < 3; ++k) {
      own[k] = static_cast<T>(map[k]);
      grey[k] = static_cast<T>(map[3 + k]);
      shift[k] = static_cast<T>(map[6 + k]);
    }
    for (Index i = 0; i < pixels; ++i, x += 3, y += 3) {
      const T r = x[0], g = x[1], b = x[2];
      const T v = T(grey_weights[0]) * r + T(grey_weights[1]) * g + T(grey_weights[2]) * b;
      y[0] = clip(own[0] * r + (grey[0] * v + shift[0]), low, high);
      y[1] = clip(own[1] * g + (grey[1] * v + shift[1]), low, high);
      y[2] = clip(own[2] * b + (grey[2] * v + shift[2]), low, high);
    }
    return;
  }
  if (channels == 1) {
    const T own = static_cast<T>(map[0]), shift = static_cast<T>(map[2]);
    for_each_vector<T>(pixels, [&](auto part, Index i) {
      part.store(y + i, clip(part.load(x + i) * own + shift, broadcast(low), broadcast(high)));
    });
    return;
  }
  for (Index i = 0; i < pixels; ++i, x += channels, y += channels) {
    for (Index k = 0; k < channels; ++k) {
      y[k] = clip(x[k] * static_cast<T>(map[k]) + static_cast<T>(map[2 * channels + k]), low, high);
    }
  }
}

// Turns the hue of pixels of three channels, in place. A channel is largest - (largest - smallest) * share, the share a
// function of the hue, the same for all but for its place on the circle of six sextants (Smith 1978); so neither the
// unit of the values nor their origin matters. In double: the hue of a pixel that is nearly grey is a quotient of small
// differences.
template <class T>
void turn_hues(T* y, double turns, Index pixels) {
  for (Index i = 0; i < pixels; ++i, y += 3) {
    const double r = static_cast<double>(y[0]), g = static_cast<double>(y[1]), b = static_cast<double>(y[2]);
    const double largest = r > g ? (r > b ? r : b) : (g > b ? g : b);
    const double smallest = r < g ? (r < b ? r : b) : (g < b ? g : b);
    const double chroma = largest - smallest;
    const double inverse = chroma > 0.0 ? 1.0 / chroma : 0.0;
    const double sextant = largest == r   ? (g - b) * inverse
                           : largest == g ? (b - r) * inverse + 2.0
                                          : (r - g) * inverse + 4.0;
    const double hue = sextant + 6.0 * turns;
    const double nan = 0.0 * (r + g + b);  // or 0
    for (int k = 0; k < 3; ++k) {
      double place = hue + static_cast<double>(5 - 2 * k);
      place -= 6.0 * __builtin_floor(place / 6.0);
      const double share = clip(place < 4.0 - place ? place : 4.0 - place, 0.0, 1.0);
      y[k] = static_cast<T>(clip(largest - chroma * share, smallest, largest) + nan);
    }
  }
}

// In units in which values go from 0 to 255, whole numbers of which stay what they are: clip(x + addition), inverted
// from the threshold on, and cut to multiples of a step if there is one. In double, as a step's edge is no place to
// round at.
template <class T>
void map_tones(T* y, const T* x, Index count, ToneMap map) {
  const double range = map.high - map.low, in = 255.0 / range, out = range / 255.0;
  for (Index i = 0; i < count; ++i) {
    double v = clip((static_cast<double>(x[i]) - map.low) * in + map.addition, 0.0, 255.0);
    v = v < map.threshold ? v : 255.0 - v;
    if (map.step > 0.0) v = __builtin_floor(v / map.step) * map.step;
    y[i] = static_cast<T>(v * out + map.low);
  }
}

// y = clip(x + deviation * scale * noise) of n rows of c elements; scale (c) is 1 where it is null.
template <class T>
void add_noise(T* y, const T* x, const T* noise, const T* scale, Index n, Index c, double deviation, PixelRange range) {
  const T d = static_cast<T>(deviation), low = static_cast<T>(range.low), high = static_cast<T>(range.high);
  const auto row = [&](Index count, auto scale_at) {
    for_each_vector<T>(count, [&](auto part, Index i) {
      const Vec<T> v = part.load(x + i) + part.load(noise + i) * scale_at(part, i);
      part.store(y + i, clip(v, broadcast(low), broadcast(high)));
    });
  };
  if (scale == nullptr) return row(n * c, [&](auto, Index) { return broadcast(d); });
  for (Index i = 0; i < n; ++i, x += c, y += c, noise += c) {
    row(c, [&](auto part, Index k) { return part.load(scale + k) * d; });
  }
}

// y = weight * a + (1 - weight) * b
template <class T>
void mix(T* y, const T* a, const T* b, Index count, double weight) {
  const T first = static_cast<T>(weight), second = static_cast<T>(1.0 - weight);
  for_each_vector<T>(
      count, [&](auto part, Index i) { part.store(y + i, part.load(a + i) * first + part.load(b + i) * second); });
}

// y = x where the mask is set, else other; fill_value where other is null.
template <class T>
void swap_features(T* y, const T* x, const T* other, const std::uint8_t* mask, Index count, double fill_value) {
  const Vec<T> fill = broadcast(static_cast<T>(fill_value));
  for_each_vector<T>(count, [&](auto part, Index i) {
    const Vec<T> instead = other == nullptr ? fill : part.load(other + i);
    part.store(y + i, select<T>(load_mask<T>(part, mask + i), part.load(x + i), instead));
  });
}

}  // namespace
}  // namespace flyball
