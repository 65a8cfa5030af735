#include <algorithm>
#include <cmath>
#include <cstring>

#include "flyball/ops.h"
#include "ops/elementwise.h"
#include "runtime/cpu.h"

namespace flyball {
namespace {

// Threads that have a place in the workspace. Its pages are used only if a thread comes, so there may be plenty.
Index places(std::size_t bytes) {
  constexpr std::size_t most_bytes = std::size_t(256) << 20;
  constexpr Index most_places = 64;
  const Index fitting = static_cast<Index>(most_bytes / bytes);
  return fitting < 1 ? 1 : fitting > most_places ? most_places : fitting;
}

// What each of a sample's numbers decides: flyball.backend.augment.WORDS. Operations that go together decide by
// different ones, so that they may share an address.
enum Word : Index {
  rotation,
  shift_rows,
  shift_columns,
  zoom_rows,
  zoom_columns,
  shear_rows,
  shear_columns,
  flip_columns,
  flip_rows,
  crop_row,
  crop_column,
  brightness,
  contrast,
  saturation,
  gain,                  // of 8 channels
  grayscale = gain + 3,  // of images with three channels only
  hue,                   // too
  tone_addition,
  tone_threshold,
  tone_bits,
  box_there = gain + 8,
  box_share,
  box_share_2,
  box_aspect,
  box_row,
  box_column,
  mix_share,
  mix_share_2,
  partner,
  tone_inverted,
};

// Calls body(i, u) for this thread's samples i with their numbers.
template <class Body>
void for_samples(const Team& team, Index n, RandomKey key, Body body) {
  constexpr Index chunk = 16;
  double u[chunk * sample_words];
  const Range mine = team.range(n);
  for (Index begin = mine.begin; begin < mine.end; begin += chunk) {
    const Index count = mine.end - begin < chunk ? mine.end - begin : chunk;
    kernels<float>().augment.sample_uniforms(u, begin, count, key);
    for (Index i = 0; i < count; ++i) body(begin + i, u + i * sample_words);
  }
}

constexpr double two_pi = 6.283185307179586476925;

struct Turn {
  double cos;
  double sin;
};

// Quarters of a turn are exact, so that a turn by one moves pixels onto pixels.
Turn turn_by(double turns) {
  const double quarters = std::nearbyint(4.0 * turns);
  const double angle = two_pi * (turns - quarters / 4.0);
  const double c = std::cos(angle), s = std::sin(angle);
  const int quarter = static_cast<int>(quarters - 4.0 * std::floor(quarters / 4.0));
  if (quarter == 0) return {c, s};
  if (quarter == 1) return {-s, c};
  if (quarter == 2) return {-c, -s};
  return {s, -c};
}

// The map from output to input, v the distance from the middle less the shift: flip(zoom(shear(turn(v)))) + middle.
void affine_matrix(double* m, const double* u, const double* ranges, const AffineDraw& d) {
  const auto drawn = [&](Index k) { return ranges[2 * k] + u[k] * (ranges[2 * k + 1] - ranges[2 * k]); };
  const Turn turn = turn_by(drawn(rotation));
  const double shear_r = drawn(shear_rows), shear_c = drawn(shear_columns);
  double scale_r = 1.0 + drawn(zoom_rows);
  double scale_c = d.keep_aspect ? scale_r : 1.0 + drawn(zoom_columns);
  if (u[flip_columns] < ranges[14]) scale_c = -scale_c;
  if (u[flip_rows] < ranges[15]) scale_r = -scale_r;
  const auto crop = [&](Index k, Index extent, Index kept) {
    const double starts = static_cast<double>(extent - kept + 2 * d.padding + 1);
    return std::floor(u[k] * starts) - static_cast<double>(d.padding);
  };
  const double height = static_cast<double>(d.height), width = static_cast<double>(d.width);
  const double middle_r = (height - 1.0) / 2.0, middle_c = (width - 1.0) / 2.0;
  const double r = crop(crop_row, d.height, d.out_height) - drawn(shift_rows) * height - middle_r;
  const double c = crop(crop_column, d.width, d.out_width) - drawn(shift_columns) * width - middle_c;
  m[0] = scale_r * (turn.cos - shear_r * turn.sin);
  m[1] = scale_r * (turn.sin + shear_r * turn.cos);
  m[2] = m[0] * r + m[1] * c + middle_r;
  m[3] = scale_c * (shear_c * turn.cos - turn.sin);
  m[4] = scale_c * (shear_c * turn.sin + turn.cos);
  m[5] = m[3] * r + m[4] * c + middle_c;
}

// Beta(alpha, alpha) of two uniform numbers, by the polar method for Student's t with 2 alpha degrees of freedom
// (Bailey 1994; Devroye 1996, "Random variate generation in one line of code").
double symmetric_beta(double u, double v, double alpha) {
  const double c = std::cos(two_pi * v);
  const double t = std::expm1(-std::log(u) / alpha) * c * c;
  const double half = 0.5 / std::sqrt(1.0 + 1.0 / t);
  return c < 0.0 ? 0.5 - half : 0.5 + half;
}

// What a pixel's channels are mapped by, from the means of the image's channels: see map_pixels.
void pixel_map(double* map, const double* u, const double* ranges, const double* means, Index channels) {
  const auto drawn = [&](Index k, Index word) { return ranges[2 * k] + u[word] * (ranges[2 * k + 1] - ranges[2 * k]); };
  const double bright = drawn(0, brightness), spread = drawn(1, contrast);
  const bool grey = channels == 3 && u[grayscale] < ranges[10];
  const double colour = grey ? 0.0 : channels == 3 ? drawn(2, saturation) : 1.0;
  double grey_shift = 0.0;
  for (Index k = 0; k < channels && channels == 3; ++k) {
    grey_shift += grey_weights[k] * ((1.0 - spread) * means[k] + bright);
  }
  for (Index k = 0; k < channels; ++k) {
    const double factor = drawn(3, gain + k % 8);
    map[k] = factor * colour * spread;
    map[channels + k] = factor * (1.0 - colour) * spread;
    map[2 * channels + k] = factor * (colour * ((1.0 - spread) * means[k] + bright) + (1.0 - colour) * grey_shift);
  }
}

const double* ranges_of(const double* ranges, const Index* labels, Index i, Index columns) {
  return labels == nullptr ? ranges : ranges + labels[i] * columns;
}

}  // namespace

double affine_transform_cost(Index n, const AffineParams& p) {
  return static_cast<double>(n * p.out_height * p.out_width) * (1.0 + 0.5 * static_cast<double>(p.channels));
}

template <class T>
std::size_t affine_transform_workspace(const AffineParams& params) {
  const std::size_t bytes = kernels<T>().augment.affine_bytes(params);
  return bytes <= scratch_bytes ? 0 : bytes * static_cast<std::size_t>(places(bytes));
}

template <class T>
void affine_transform(Team& team, T* y, const T* x, const double* matrices, Index n, const AffineParams& params) {
  const std::size_t bytes = kernels<T>().augment.affine_bytes(params);
  Range mine = team.range(n);
  char* memory = team.scratch<char>();
  if (bytes > scratch_bytes) {
    const Index threads = places(bytes) < team.size() ? places(bytes) : team.size();
    if (team.rank() >= threads) return;
    mine = {n * team.rank() / threads, n * (team.rank() + 1) / threads};
    memory = team.workspace<char>() + bytes * static_cast<std::size_t>(team.rank());
  }
  kernels<T>().augment.affine(y + mine.begin * params.out_size(), x + mine.begin * params.in_size(),
                              matrices + mine.begin * 6, mine.size(), params, memory);
}

double sample_draw_cost(Index n) { return 150.0 * static_cast<double>(n); }

void affine_matrices(Team& team, double* matrices, const Index* labels, const double* ranges, Index n,
                     const AffineDraw& params, RandomKey key) {
  for_samples(team, n, key, [&](Index i, const double* u) {
    affine_matrix(matrices + i * 6, u, ranges_of(ranges, labels, i, affine_ranges), params);
  });
}

template <class T>
void adjust_pixels(Team& team, T* y, const T* x, const Index* labels, const double* ranges, Index n, Index pixels,
                   Index channels, PixelRange range, RandomKey key) {
  double* means = team.scratch<double>();
  double* map = means + channels;
  for_samples(team, n, key, [&](Index i, const double* u) {
    const T* image = x + i * pixels * channels;
    kernels<T>().augment.channel_sums(means, image, pixels, channels);
    for (Index k = 0; k < channels; ++k) means[k] /= static_cast<double>(pixels);
    const double* row = ranges_of(ranges, labels, i, pixel_ranges);
    pixel_map(map, u, row, means, channels);
    T* result = y + i * pixels * channels;
    kernels<T>().augment.map_pixels(result, image, map, pixels, channels, range);
    const double turns = row[8] + u[hue] * (row[9] - row[8]);
    if (channels == 3 && turns != 0.0) kernels<T>().augment.turn_hues(result, turns, pixels);
  });
}

template <class T>
void adjust_tones(Team& team, T* y, const T* x, const Index* labels, const double* ranges, Index n, Index c,
                  PixelRange range, RandomKey key) {
  for_samples(team, n, key, [&](Index i, const double* u) {
    const double* row = ranges_of(ranges, labels, i, tone_ranges);
    const auto drawn = [&](Index k, Word word) { return row[2 * k] + u[word] * (row[2 * k + 1] - row[2 * k]); };
    const double bits = std::floor(drawn(2, tone_bits));
    const double threshold = u[tone_inverted] < row[6] ? 0.0 : drawn(1, tone_threshold);
    const double step = bits > 0.0 ? std::exp2(8.0 - bits) : 0.0;
    const ToneMap map{range.low, range.high, drawn(0, tone_addition), threshold, step};
    kernels<T>().augment.map_tones(y + i * c, x + i * c, c, map);
  });
}

template <class T>
void add_noise(Team& team, T* y, const T* x, const T* noise, const T* scale, Index n, Index c, double deviation,
               PixelRange range) {
  const Range mine = team.range(n);
  const Index begin = mine.begin * c;
  kernels<T>().augment.add_noise(y + begin, x + begin, noise + begin, scale, mine.size(), c, deviation, range);
}

void cut_boxes(Team& team, Index* boxes, double* weights, Index n, const BoxDraw& d, RandomKey key) {
  for_samples(team, n, key, [&](Index i, const double* u) {
    const double share = d.alpha > 0.0 ? 1.0 - symmetric_beta(u[box_share], u[box_share_2], d.alpha)
                                       : d.low + u[box_share] * (d.high - d.low);
    const double ratio = std::exp((u[box_aspect] - 0.5) * std::log(d.aspect));
    const auto side = [&](Index extent, double factor) {
      const double length = std::nearbyint(static_cast<double>(extent) * std::sqrt(share) * factor);
      return length < static_cast<double>(extent) ? static_cast<Index>(length) : extent;
    };
    const bool there = u[box_there] < d.probability;
    const Index height = there ? side(d.height, ratio) : 0;
    const Index width = there ? side(d.width, 1.0 / ratio) : 0;
    const auto start = [&](double where, Index extent, Index length) {
      return static_cast<Index>(where * static_cast<double>(extent - length + 1));
    };
    Index* box = boxes + i * 4;
    box[0] = start(u[box_row], d.height, height);
    box[1] = start(u[box_column], d.width, width);
    box[2] = box[0] + height;
    box[3] = box[1] + width;
    weights[i] = 1.0 - static_cast<double>(height * width) / static_cast<double>(d.height * d.width);
  });
}

void mix_weights(Team& team, double* weights, Index n, double alpha, RandomKey key) {
  for_samples(team, n, key,
              [&](Index i, const double* u) { weights[i] = symmetric_beta(u[mix_share], u[mix_share_2], alpha); });
}

std::size_t partner_rows_workspace(Index n) { return static_cast<std::size_t>(n) * sizeof(double); }

void partner_rows(Team& team, Index* partners, Index n, RandomKey key) {
  double* order = team.workspace<double>();
  for_samples(team, n, key, [&](Index i, const double* u) {
    order[i] = u[partner];
    partners[i] = i;
  });
  team.barrier();
  if (team.rank() != 0) return;
  std::sort(partners, partners + n,
            [=](Index a, Index b) { return order[a] < order[b] || (order[a] == order[b] && a < b); });
}

template <class T>
void paste_boxes(Team& team, T* y, const T* x, const Index* boxes, const Index* partners, const T* filling, Index n,
                 Index height, Index width, Index channels, double fill_value) {
  const Range mine = team.range(n);
  const Index size = height * width * channels;
  for (Index i = mine.begin; i < mine.end; ++i) {
    T* image = y + i * size;
    std::memcpy(image, x + i * size, static_cast<std::size_t>(size) * sizeof(T));
    const Index* box = boxes + i * 4;
    const Index count = (box[3] - box[1]) * channels;
    const T* other = partners != nullptr ? x + partners[i] * size : filling != nullptr ? filling + i * size : nullptr;
    for (Index r = box[0]; r < box[2] && count > 0; ++r) {
      const Index at = (r * width + box[1]) * channels;
      if (other != nullptr) {
        std::memcpy(image + at, other + at, static_cast<std::size_t>(count) * sizeof(T));
      } else {
        for (Index k = 0; k < count; ++k) image[at + k] = static_cast<T>(fill_value);
      }
    }
  }
}

template <class T>
void mix_rows(Team& team, T* y, const T* x, const Index* partners, const double* weights, Index n, Index c) {
  const Range mine = team.range(n);
  for (Index i = mine.begin; i < mine.end; ++i) {
    kernels<T>().augment.mix(y + i * c, x + i * c, x + partners[i] * c, c, weights[i]);
  }
}

template <class T>
void swap_features(Team& team, T* y, const T* x, const std::uint8_t* mask, const Index* partners, Index n, Index c,
                   double fill_value) {
  const Range mine = team.range(n);
  for (Index i = mine.begin; i < mine.end; ++i) {
    const T* other = partners == nullptr ? nullptr : x + partners[i] * c;
    kernels<T>().augment.swap_features(y + i * c, x + i * c, other, mask + i * c, c, fill_value);
  }
}

#define FLYBALL_INSTANTIATE(T)                                                                                       \
  template std::size_t affine_transform_workspace<T>(const AffineParams&);                                           \
  template void affine_transform(Team&, T*, const T*, const double*, Index, const AffineParams&);                    \
  template void adjust_pixels(Team&, T*, const T*, const Index*, const double*, Index, Index, Index, PixelRange,     \
                              RandomKey);                                                                            \
  template void adjust_tones(Team&, T*, const T*, const Index*, const double*, Index, Index, PixelRange, RandomKey); \
  template void add_noise(Team&, T*, const T*, const T*, const T*, Index, Index, double, PixelRange);                \
  template void paste_boxes(Team&, T*, const T*, const Index*, const Index*, const T*, Index, Index, Index, Index,   \
                            double);                                                                                 \
  template void mix_rows(Team&, T*, const T*, const Index*, const double*, Index, Index);                            \
  template void swap_features(Team&, T*, const T*, const std::uint8_t*, const Index*, Index, Index, double);
FLYBALL_INSTANTIATE(float)
FLYBALL_INSTANTIATE(double)
#undef FLYBALL_INSTANTIATE

}  // namespace flyball
