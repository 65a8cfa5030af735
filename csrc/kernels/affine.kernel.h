// Resampling of images. Compiled once per instruction set: see variant.h.
//
// Each image is copied, with a border, into memory that stays in a cache. Then a fill mode is nothing but a map of
// coordinates into the image: the two by two pixels around a coordinate are always neighbours in the copy, so that a
// pixel needs one offset instead of four, and no bounds.
#pragma once

#include "flyball/params.h"
#include "kernels/simd.h"

namespace flyball {
namespace {

// floor of each lane. The loop compiles to one instruction.
FLYBALL_INLINE Vec<double> floor(Vec<double> v) {
  for (Index i = 0; i < lanes<double>; ++i) v[i] = __builtin_floor(v[i]);
  return v;
}

// A row or column coordinate, taken into an axis of n pixels. The result is in [-1, n] whatever it was, nan included.
struct Fold {
  FillMode mode;
  double n;
  double inverse_period;

  Fold(FillMode fill_mode, Index extent)
      : mode(fill_mode),
        n(static_cast<double>(extent)),
        inverse_period(1.0 / (fill_mode == FillMode::reflect ? 2.0 * n : n)) {}

  FLYBALL_INLINE Vec<double> operator()(Vec<double> c) const {
    double low = -1.0, high = n;
    if (mode == FillMode::nearest) {
      low = 0.0;
      high = n - 1.0;
    } else if (mode == FillMode::wrap) {
      c = c - floor(c * inverse_period) * n;
    } else if (mode == FillMode::reflect) {
      const Vec<double> u = c + 0.5;
      const Vec<double> past = (u - floor(u * inverse_period) * (2.0 * n)) - n;  // in [-n, n), 0 at the far edge
      c = (n - 0.5) - select<double>(past < 0.0, -past, past);
    }
    c = select<double>(c > low, c, broadcast(low));
    return select<double>(c < high, c, broadcast(high));
  }
};

// Where an output row's pixels come from: offsets into the bordered copy of the upper left neighbours, and how far
// below and to the right of them.
template <class T>
struct Sources {
  std::int64_t* offsets;
  T* down;
  T* right;
};

// The copy: one pixel before and two behind in each direction. A coordinate of n has n + 1 as its neighbour, with
// weight 0.
constexpr Index border = 3;

// How the memory of affine_transform is laid out: the copy, then arrays of a row, each with a vector to spare.
template <class T>
struct AffineMemory {
  Index stride;  // elements of a row of the copy
  T* copy;
  Sources<T> sources;
  T* row;  // of the output
  std::size_t bytes = 0;

  AffineMemory(const AffineParams& p, void* memory) : stride((p.width + border) * p.channels) {
    char* base = static_cast<char*>(memory);
    const Index row_vectors = p.out_width + lanes<float>;
    copy = take<T>(base, (p.height + border) * stride + lanes<T>);
    sources.offsets = take<std::int64_t>(base, row_vectors);
    sources.down = take<T>(base, row_vectors);
    sources.right = take<T>(base, row_vectors);
    row = take<T>(base, row_vectors * p.channels + lanes<T>);
  }

 private:
  template <class U>
  U* take(char* base, Index count) {
    U* p = reinterpret_cast<U*>(base + bytes);
    bytes += (static_cast<std::size_t>(count) * sizeof(U) + 63) / 64 * 64;
    return p;
  }
};

template <class T>
std::size_t affine_bytes(const AffineParams& params) {
  char nowhere = 0;
  return AffineMemory<T>(params, &nowhere).bytes;
}

// Pixel k of an axis of n that goes on as `mode` says; -1 is the constant.
FLYBALL_INLINE Index border_pixel(Index k, Index n, FillMode mode) {
  if (k >= 0 && k < n) return k;
  if (mode == FillMode::constant) return -1;
  if (mode == FillMode::wrap) return (k + n) % n;
  return k < 0 ? 0 : n - 1;
}

// Copies `count` elements, and up to a vector of anything behind them.
template <class T>
FLYBALL_INLINE void copy_over(T* to, const T* from, Index count) {
  for_each_vector<T>(count, [&](auto part, Index i) { store(to + i, part.load(from + i)); });
}

template <class T>
void copy_with_border(const AffineMemory<T>& memory, const T* x, const AffineParams& p) {
  const Index c = p.channels;
  const Index columns = p.width * c;
  for (Index i = -1; i < p.height + border - 1; ++i) {  // downwards: a row's spill is the next one's beginning
    T* row = memory.copy + (i + 1) * memory.stride;
    const Index source = border_pixel(i, p.height, p.fill_mode);
    if (source >= 0) copy_over(row + c, x + source * columns, columns);
    const Index edges[border] = {-1, p.width, p.width + 1};
    for (const Index j : edges) {
      const Index pixel = border_pixel(j, p.width, p.fill_mode);
      for (Index k = 0; k < c; ++k) {
        row[(j + 1) * c + k] =
            source >= 0 && pixel >= 0 ? x[source * columns + pixel * c + k] : static_cast<T>(p.fill_value);
      }
    }
    if (source < 0) {
      for (Index k = c; k < c + columns; ++k) row[k] = static_cast<T>(p.fill_value);
    }
  }
}

template <class T>
FLYBALL_INLINE void store_narrow(T* p, Vec<double> v) {
  for (Index l = 0; l < lanes<double>; ++l) p[l] = static_cast<T>(v[l]);
}

// Row i of the output.
template <bool NEAREST, class T>
FLYBALL_INLINE void find_sources(const Sources<T>& sources, const double* m, Index i, const AffineParams& p,
                                 const Fold& fold_rows, const Fold& fold_columns) {
  const double stride = static_cast<double>((p.width + border) * p.channels);
  const double channels = static_cast<double>(p.channels);
  const double row_0 = m[0] * static_cast<double>(i) + m[2];
  const double column_0 = m[3] * static_cast<double>(i) + m[5];
  Vec<double> j;
  for (Index l = 0; l < lanes<double>; ++l) j[l] = static_cast<double>(l);
  for (Index k = 0; k < p.out_width; k += lanes<double>, j += static_cast<double>(lanes<double>)) {
    Vec<double> row = j * m[1] + row_0;
    Vec<double> column = j * m[4] + column_0;
    if constexpr (NEAREST) {
      row = floor(row + 0.5);
      column = floor(column + 0.5);
    }
    row = fold_rows(row);
    column = fold_columns(column);
    const Vec<double> above = floor(row);
    const Vec<double> left = floor(column);
    // At least 0 and below 2^52: after the addition the integer is in the low bits.
    const Vec<double> offset = (above * stride + left * channels) + (stride + channels + 0x1p52);
    store(sources.offsets + k, (Vec<std::int64_t>)offset & 0xfffffffffffff);
    if constexpr (!NEAREST) {
      store_narrow(sources.down + k, row - above);
      store_narrow(sources.right + k, column - left);
    }
  }
}

template <class V, class W>
FLYBALL_INLINE V between(V a, V b, W weight) {
  return a + weight * (b - a);
}

// Channels of a pixel are blended four at a time at every level: images have one, three or four of them. Vectors go
// beyond a pixel's channels, in the copy and in the row, whose pixels are written in order.
template <class T>
using Quad = typename VectorOfBytes<T, 4 * sizeof(T)>::type;

template <class T>
FLYBALL_INLINE Quad<T> load_quad(const T* p) {
  Quad<T> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

template <bool NEAREST, class T>
FLYBALL_INLINE void blend_channels(T* row, const AffineMemory<T>& memory, Index width, Index c) {
  const Sources<T> s = memory.sources;
  for (Index j = 0; j < width; ++j) {
    for (Index k = 0; k < c; k += 4) {
      const T* p = memory.copy + s.offsets[j] + k;
      const T* q = p + memory.stride;
      Quad<T> v = load_quad(p);
      if constexpr (!NEAREST) {
        const Quad<T> top = between(v, load_quad(p + c), s.right[j]);
        const Quad<T> bottom = between(load_quad(q), load_quad(q + c), s.right[j]);
        v = between(top, bottom, s.down[j]);
      }
      __builtin_memcpy(row + j * c + k, &v, sizeof v);
    }
  }
}

template <bool NEAREST, class T>
FLYBALL_INLINE void blend_pixels(T* row, const AffineMemory<T>& memory, Index width) {
  const Sources<T> s = memory.sources;
  for (Index j = 0; j < width; ++j) {
    const T* p = memory.copy + s.offsets[j];
    const T* q = p + memory.stride;
    row[j] = NEAREST ? p[0] : between(between(p[0], p[1], s.right[j]), between(q[0], q[1], s.right[j]), s.down[j]);
  }
}

template <bool NEAREST, class T>
FLYBALL_INLINE void affine_images(T* y, const T* x, const double* matrices, Index n, const AffineParams& p,
                                  const AffineMemory<T>& memory) {
  const Fold fold_rows(p.fill_mode, p.height);
  const Fold fold_columns(p.fill_mode, p.width);
  const Index out_columns = p.out_width * p.channels;
  for (Index image = 0; image < n; ++image, x += p.in_size(), matrices += 6) {
    copy_with_border(memory, x, p);
    for (Index i = 0; i < p.out_height; ++i, y += out_columns) {
      find_sources<NEAREST>(memory.sources, matrices, i, p, fold_rows, fold_columns);
      if (p.channels == 1) {
        blend_pixels<NEAREST>(y, memory, p.out_width);
      } else {
        blend_channels<NEAREST>(memory.row, memory, p.out_width, p.channels);
        for_each_vector<T>(out_columns, [&](auto part, Index k) { part.store(y + k, load(memory.row + k)); });
      }
    }
  }
}

template <class T>
void affine_transform(T* y, const T* x, const double* matrices, Index n, const AffineParams& params, void* memory) {
  const AffineMemory<T> layout(params, memory);
  if (params.nearest) {
    affine_images<true>(y, x, matrices, n, params, layout);
  } else {
    affine_images<false>(y, x, matrices, n, params, layout);
  }
}

}  // namespace
}  // namespace flyball
