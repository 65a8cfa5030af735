// Vectors of T over the compiler's vector extension, as wide as the instruction set this file is compiled for.
//
// Included by *.kernel.h only. Everything sits in an anonymous namespace and nothing comes from the standard library:
// a function compiled for AVX-512 must never be the one the linker keeps for other code.
#pragma once

#include "flyball/types.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define FLYBALL_VECTOR_BYTES 64
#elif defined(__AVX__)
#define FLYBALL_VECTOR_BYTES 32
#else
#define FLYBALL_VECTOR_BYTES 16
#endif

// Of a lambda, between its parameters and its body: what it captures stays in registers even if it is called twice.
#define FLYBALL_INLINE_LAMBDA __attribute__((always_inline))

namespace flyball {
namespace {

// Signed and unsigned integers as wide as T: what comparisons yield, and what masks are made of.
template <class T>
struct Bits;
template <>
struct Bits<float> {
  using Signed = std::int32_t;
  using Unsigned = std::uint32_t;
};
template <>
struct Bits<double> {
  using Signed = std::int64_t;
  using Unsigned = std::uint64_t;
};

template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(FLYBALL_VECTOR_BYTES)));
  typedef T unaligned __attribute__((vector_size(FLYBALL_VECTOR_BYTES), aligned(alignof(T)), may_alias));
};

template <class T>
using Vec = typename VectorOf<T>::type;
template <class T>
using IntVec = Vec<typename Bits<T>::Signed>;

// Elements of T in a vector.
template <class T>
constexpr Index lanes = FLYBALL_VECTOR_BYTES / static_cast<Index>(sizeof(T));

template <class T>
FLYBALL_INLINE Vec<T> load(const T* p) {
  return *reinterpret_cast<const typename VectorOf<T>::unaligned*>(p);
}

template <class T>
FLYBALL_INLINE void store(T* p, Vec<T> v) {
  *reinterpret_cast<typename VectorOf<T>::unaligned*>(p) = v;
}

template <class T>
FLYBALL_INLINE Vec<T> broadcast(T x) {
  return x - Vec<T>{};  // x - 0 is x for every x; x + 0 would turn -0 into 0
}

template <class T>
FLYBALL_INLINE Vec<T> zero() {
  return Vec<T>{};
}

// Lanes where `mask` (a comparison's result) is set from a, the others from b.
template <class T>
FLYBALL_INLINE Vec<T> select(IntVec<T> mask, Vec<T> a, Vec<T> b) {
  return mask ? a : b;
}

template <class T>
FLYBALL_INLINE Vec<T> max(Vec<T> a, Vec<T> b) {
  return a > b ? a : b;
}

// x, or `low` where it is below that; x, or `high` where it is above that; nan stays nan.
//
// GCC 12 compares and blends where the bound is a constant: with AVX2 softmax took 1.2, gelu's gradient 1.4 times as
// long.
#if defined(__AVX512F__)  // Masked, all lanes on: it warns of the undefined lanes that their plain forms are made of.
FLYBALL_INLINE Vec<float> at_least(Vec<float> x, float low) { return _mm512_maskz_max_ps(0xffff, broadcast(low), x); }
FLYBALL_INLINE Vec<double> at_least(Vec<double> x, double low) { return _mm512_maskz_max_pd(0xff, broadcast(low), x); }
FLYBALL_INLINE Vec<float> at_most(Vec<float> x, float high) { return _mm512_maskz_min_ps(0xffff, broadcast(high), x); }
FLYBALL_INLINE Vec<double> at_most(Vec<double> x, double high) { return _mm512_maskz_min_pd(0xff, broadcast(high), x); }
#elif defined(__AVX2__)
FLYBALL_INLINE Vec<float> at_least(Vec<float> x, float low) { return _mm256_max_ps(broadcast(low), x); }
FLYBALL_INLINE Vec<double> at_least(Vec<double> x, double low) { return _mm256_max_pd(broadcast(low), x); }
FLYBALL_INLINE Vec<float> at_most(Vec<float> x, float high) { return _mm256_min_ps(broadcast(high), x); }
FLYBALL_INLINE Vec<double> at_most(Vec<double> x, double high) { return _mm256_min_pd(broadcast(high), x); }
#else
template <class T>
FLYBALL_INLINE Vec<T> at_least(Vec<T> x, T low) {
  return select<T>(x < low, broadcast(low), x);
}
template <class T>
FLYBALL_INLINE Vec<T> at_most(Vec<T> x, T high) {
  return select<T>(x > high, broadcast(high), x);
}
#endif

// max(x, 0) that keeps nan.
template <class V>
FLYBALL_INLINE V relu(V x) {
  return x < V{} ? V{} : x;
}

template <class T>
FLYBALL_INLINE Vec<T> absolute(Vec<T> x) {
  return (Vec<T>)((IntVec<T>)x & ~(IntVec<T>)broadcast(T(-0.0)));
}

// 0, 1, 2, ...
template <class T>
FLYBALL_INLINE IntVec<T> lane_index() {
  IntVec<T> index;
  for (Index i = 0; i < lanes<T>; ++i) index[i] = static_cast<typename Bits<T>::Signed>(i);
  return index;
}

// A mask of the first `count` lanes.
template <class T>
FLYBALL_INLINE IntVec<T> first_lanes(Index count) {
  return lane_index<T>() < static_cast<typename Bits<T>::Signed>(count);
}

// The first `count` elements, 0 < count <= lanes, the others zero; no byte beyond them is touched.
//
// Why not memcpy: of a run-time size it is a call, and a row of 10 floats is one partial vector.
#if defined(__AVX512F__)
FLYBALL_INLINE Vec<float> load_partial(const float* p, Index count) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1u), p);
}
FLYBALL_INLINE Vec<double> load_partial(const double* p, Index count) {
  return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << count) - 1u), p);
}
#elif defined(__AVX2__)
FLYBALL_INLINE Vec<float> load_partial(const float* p, Index count) {
  return _mm256_maskload_ps(p, (__m256i)first_lanes<float>(count));
}
FLYBALL_INLINE Vec<double> load_partial(const double* p, Index count) {
  return _mm256_maskload_pd(p, (__m256i)first_lanes<double>(count));
}
#else
template <class T>
FLYBALL_INLINE Vec<T> load_partial(const T* p, Index count) {
  Vec<T> v{};
  for (Index i = 0; i < lanes<T>; ++i) {
    if (i < count) v[i] = p[i];
  }
  return v;
}
#endif

// Vectors of other sizes than this file's.
template <class T, std::size_t bytes>
struct VectorOfBytes {
  typedef T type __attribute__((vector_size(bytes)));
};

// Stores the first `count` elements, 0 < count <= lanes; no byte beyond them is touched.
//
// In pieces of 1/2, 1/4, ... of a vector: the CPU takes a masked store for one of the whole vector when it looks for
// loads that depend on it, and in-place work on rows of 10 floats waited for each store, five times as long.
template <class T, std::size_t bytes = FLYBALL_VECTOR_BYTES>
FLYBALL_INLINE void store_partial(T* p, typename VectorOfBytes<T, bytes>::type v, Index count) {
  constexpr Index size = bytes / sizeof(T);
  if (count == size) {
    __builtin_memcpy(p, &v, bytes);
  } else if constexpr (size > 1) {
    typename VectorOfBytes<T, bytes / 2>::type half[2];
    __builtin_memcpy(half, &v, bytes);
    if (count >= size / 2) {
      __builtin_memcpy(p, &half[0], bytes / 2);
      if (count > size / 2) store_partial<T, bytes / 2>(p + size / 2, half[1], count - size / 2);
    } else {
      store_partial<T, bytes / 2>(p, half[0], count);
    }
  }
}

// How a loop body touches memory: whole vectors, or the last `count` elements.
struct Whole {
  template <class T>
  FLYBALL_INLINE Vec<T> load(const T* p) const {
    return flyball::load(p);
  }
  template <class T>
  FLYBALL_INLINE void store(T* p, Vec<T> v) const {
    flyball::store(p, v);
  }
  // With `rest` in the lanes that are missing.
  template <class T>
  FLYBALL_INLINE Vec<T> load(const T* p, T) const {
    return flyball::load(p);
  }
};

struct Partial {
  Index count;
  template <class T>
  FLYBALL_INLINE Vec<T> load(const T* p) const {
    return load_partial(p, count);
  }
  template <class T>
  FLYBALL_INLINE void store(T* p, Vec<T> v) const {
    store_partial(p, v, count);
  }
  template <class T>
  FLYBALL_INLINE Vec<T> load(const T* p, T rest) const {
    return select<T>(first_lanes<T>(count), load_partial(p, count), broadcast(rest));
  }
};

// Calls body(part, i) for i = 0, lanes, 2 * lanes, ...; the tail runs the same body on a Partial.
template <class T, class Body>
FLYBALL_INLINE void for_each_vector(Index count, Body body) {
  Index i = 0;
  for (; i + lanes<T> <= count; i += lanes<T>) body(Whole{}, i);
  if (i < count) body(Partial{count - i}, i);
}

// Asks for a cache line that will be written: another core may hold a copy, and giving it up takes a while. A training
// step of 64-256-256-10 on two cores took 3 % (AVX-512) to 10 % (AVX2) less with it.
FLYBALL_INLINE void prefetch_to_write(const void* p) { __builtin_prefetch(p, 1); }

// --- permutations ---

template <int... I>
struct Lanes {};
template <int N, int... I>
struct LanesUpTo : LanesUpTo<N - 1, N - 1, I...> {};
template <int... I>
struct LanesUpTo<0, I...> {
  using type = Lanes<I...>;
};

// Exchanges the off-diagonal blocks of size STRIDE between two rows of a matrix.
template <class T, int STRIDE, int... I>
FLYBALL_INLINE void exchange(Vec<T>& a, Vec<T>& b, Lanes<I...>) {
  constexpr int n = static_cast<int>(lanes<T>);
  const Vec<T> first = __builtin_shufflevector(a, b, ((I & STRIDE) != 0 ? n + I - STRIDE : I)...);
  b = __builtin_shufflevector(a, b, ((I & STRIDE) != 0 ? n + I : I + STRIDE)...);
  a = first;
}

// Square root of each lane. The loop compiles to one instruction (-fno-math-errno).
FLYBALL_INLINE Vec<float> sqrt(Vec<float> v) {
  for (Index i = 0; i < lanes<float>; ++i) v[i] = __builtin_sqrtf(v[i]);
  return v;
}
FLYBALL_INLINE Vec<double> sqrt(Vec<double> v) {
  for (Index i = 0; i < lanes<double>; ++i) v[i] = __builtin_sqrt(v[i]);
  return v;
}

// a / b, of normal numbers within 0.55 ulp; zero, inf and nan as the division has them.
//
// With AVX-512 from the processor's estimate of 1 / b and one step that makes up for what is missing, and that is left
// out where nothing finite is. The divider takes ten cycles for 16 floats, and updates need it for roots.
template <class T>
FLYBALL_INLINE Vec<T> quotient(Vec<T> a, Vec<T> b) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == sizeof(float)) {
    const __m512 reciprocal = _mm512_maskz_rcp14_ps(0xffff, b);
    const __m512 estimate = a * reciprocal;
    const __m512 missing = _mm512_fnmadd_ps(b, estimate, a);
    constexpr int inf_or_nan = 0x99;
    const __mmask16 finite = _knot_mask16(_mm512_fpclass_ps_mask(missing, inf_or_nan));
    return _mm512_mask3_fmadd_ps(missing, reciprocal, estimate, finite);
  }
#endif
  return a / b;
}

// The lanes of v, combined by halves; `combine` takes two vectors of any length, or two elements.
template <class T, std::size_t bytes = FLYBALL_VECTOR_BYTES, class Combine>
FLYBALL_INLINE T fold(typename VectorOfBytes<T, bytes>::type v, Combine combine) {
  if constexpr (bytes == 2 * sizeof(T)) {
    return combine(v[0], v[1]);
  } else {
    typename VectorOfBytes<T, bytes / 2>::type half[2];
    __builtin_memcpy(half, &v, bytes);
    return fold<T, bytes / 2>(combine(half[0], half[1]), combine);
  }
}

template <class T>
FLYBALL_INLINE T max_of_lanes(Vec<T> v) {
  return fold<T>(v, [](auto a, auto b) { return a > b ? a : b; });
}

// The two halves of v in double.
struct Widened {
  Vec<double> low, high;
};
FLYBALL_INLINE Widened widen(Vec<float> v) {
  VectorOfBytes<float, FLYBALL_VECTOR_BYTES / 2>::type half[2];
  __builtin_memcpy(half, &v, sizeof v);
#if defined(__AVX512F__)  // GCC 12 converts in quarters: softmax took 15 % longer. maskz: cvtps_pd warns there.
  return {_mm512_maskz_cvtps_pd(0xff, half[0]), _mm512_maskz_cvtps_pd(0xff, half[1])};
#elif defined(__AVX2__)  // The same: softmax cross-entropy of 1,000 classes took 1.24, a sum alone 1.3 times as long.
  return {_mm256_cvtps_pd(half[0]), _mm256_cvtps_pd(half[1])};
#else
  return {__builtin_convertvector(half[0], Vec<double>), __builtin_convertvector(half[1], Vec<double>)};
#endif
}

// The same of a vector in memory, whole or partial. Conversions read whole halves themselves, and leave the unit that
// moves lanes alone.
FLYBALL_INLINE Widened widen(Whole, const float* p) {
#if defined(__AVX512F__)
  return {_mm512_maskz_cvtps_pd(0xff, _mm256_loadu_ps(p)), _mm512_maskz_cvtps_pd(0xff, _mm256_loadu_ps(p + 8))};
#elif defined(__AVX2__)
  return {_mm256_cvtps_pd(_mm_loadu_ps(p)), _mm256_cvtps_pd(_mm_loadu_ps(p + 4))};
#else
  return widen(load(p));
#endif
}
FLYBALL_INLINE Widened widen(Partial part, const float* p) { return widen(part.load(p)); }

// A sum in double of vectors of T, or of their squares.
template <class T>
struct DoubleSum;
template <>
struct DoubleSum<double> {
  Vec<double> sum{};
  FLYBALL_INLINE void add(Vec<double> v) { sum += v; }
  FLYBALL_INLINE void add_square(Vec<double> v) { sum += v * v; }
  template <class Part>
  FLYBALL_INLINE void add_squares(Part part, const double* p) {
    add_square(part.load(p));
  }
  FLYBALL_INLINE double total() const {
    return fold<double>(sum, [](auto a, auto b) { return a + b; });
  }
};
template <>
struct DoubleSum<float> {
  DoubleSum<double> low, high;
  FLYBALL_INLINE void add(Vec<float> v) {
    const Widened wide = widen(v);
    low.add(wide.low);
    high.add(wide.high);
  }
  FLYBALL_INLINE void add_square(Vec<float> v) {
    const Widened wide = widen(v);
    low.add_square(wide.low);
    high.add_square(wide.high);
  }
  template <class Part>
  FLYBALL_INLINE void add_squares(Part part, const float* p) {
    const Widened wide = widen(part, p);
    low.add_square(wide.low);
    high.add_square(wide.high);
  }
  FLYBALL_INLINE double total() const { return DoubleSum<double>{low.sum + high.sum}.total(); }
};

}  // namespace
}  // namespace flyball
