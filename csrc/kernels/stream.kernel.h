// Stores that go past the caches. Included by *.kernel.h only: see variant.h.
//
// A cache line that is written is read first, unless it is written past the caches: of results that the caches cannot
// hold, that is a third of the memory traffic of reading one array and writing another.
#pragma once

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "kernels/norm.h"
#include "kernels/simd.h"

namespace flyball {
namespace {

// Rows of a matrix are written one after the other. Two side by side, for which what belongs to their columns would be
// loaded once, took 1.5 to 2 times as long on a Xeon where vectors lie across lines, as in most arrays of NumPy, and
// streamed ones 2 to 8 times on a Zen 3.
struct Cached {
  template <class Part, class T>
  FLYBALL_INLINE void operator()(Part part, T* p, Vec<T> v) const {
    part.store(p, v);
  }
  template <class T>
  FLYBALL_INLINE void prefetch(const T* p) const {
    prefetch_to_write(p);
  }
};

#if defined(__SSE2__)
// In pieces of 16 bytes, which is how NumPy aligns.
struct Streamed {
  template <class T>
  FLYBALL_INLINE void operator()(Partial part, T* p, Vec<T> v) const {
    part.store(p, v);
  }
  template <class T>
  FLYBALL_INLINE void operator()(Whole, T* p, Vec<T> v) const {
    constexpr int pieces = FLYBALL_VECTOR_BYTES / 16;
    __m128i piece[pieces];
    __builtin_memcpy(piece, &v, sizeof v);
#pragma GCC unroll 4
    for (int i = 0; i < pieces; ++i) _mm_stream_si128(reinterpret_cast<__m128i*>(p) + i, piece[i]);
  }
  template <class T>
  FLYBALL_INLINE void prefetch(const T*) const {}
};
#endif

// for_each_vector for a body that stores its vector i at p + i. A first part reaches up to where vectors are aligned:
// one that lies across two lines costs two loads or stores, and large arrays of NumPy begin 16 bytes behind a line.
// Layer normalisation of such arrays of (512, 512) floats, forward and backward on one core of a Xeon, took 0.95 of the
// time, of (64, 512) 0.90 with AVX-512 and as long with AVX2. Rows of four lines or fewer gain nothing, and streamed
// ones would have lines of which a half goes past the caches. Sums have no such first part: their bits would follow
// addresses.
template <class T, class Body>
FLYBALL_INLINE void for_each_stored(Cached, const T* p, Index count, Body body) {
  constexpr Index few = 256 / static_cast<Index>(sizeof(T));
  const Index behind = static_cast<Index>(reinterpret_cast<std::uintptr_t>(p) / sizeof(T)) & (lanes<T> - 1);
  if (count <= few || behind == 0) return for_each_vector<T>(count, body);
  Index i = lanes<T> - behind;
  body(Partial{i}, 0);
  for (; i + lanes<T> <= count; i += lanes<T>) body(Whole{}, i);
  if (i < count) body(Partial{count - i}, i);
}

#if defined(__SSE2__)
template <class T, class Body>
FLYBALL_INLINE void for_each_stored(Streamed, const T*, Index count, Body body) {
  for_each_vector<T>(count, body);
}
#endif

// Calls body with the way to store to rows that begin at p and are `ld` elements apart. What was streamed is visible to
// other threads when this returns.
template <class T, class Body>
FLYBALL_INLINE void with_stores(Stores stores, const T* p, Index ld, Body body) {
#if defined(__SSE2__)
  const auto aligned = (reinterpret_cast<std::uintptr_t>(p) | (static_cast<std::uintptr_t>(ld) * sizeof(T))) % 16 == 0;
  if (stores == Stores::streamed && aligned) {
    body(Streamed{});
    _mm_sfence();
    return;
  }
#endif
  body(Cached{});
}

}  // namespace
}  // namespace flyball
