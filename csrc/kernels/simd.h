// Vectors of T over the compiler's vector extension, as wide as the instruction set this file is compiled for.
//
// Included by *.kernel.h only. Everything sits in an anonymous namespace and nothing comes from the standard library:
// a function compiled for AVX-512 must never be the one the linker keeps for other code.
#pragma once

#include "flyball/types.h"

#if defined(__AVX512F__)
#define FLYBALL_VECTOR_BYTES 64
#elif defined(__AVX__)
#define FLYBALL_VECTOR_BYTES 32
#else
#define FLYBALL_VECTOR_BYTES 16
#endif

#define FLYBALL_INLINE inline __attribute__((always_inline))

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

// max(x, 0) that keeps nan.
template <class V>
FLYBALL_INLINE V relu(V x) {
  return x < V{} ? V{} : x;
}

template <class T>
FLYBALL_INLINE Vec<T> load_partial(const T* p, Index count) {
  Vec<T> v{};
  __builtin_memcpy(&v, p, static_cast<std::size_t>(count) * sizeof(T));
  return v;
}

template <class T>
FLYBALL_INLINE void store_partial(T* p, Vec<T> v, Index count) {
  __builtin_memcpy(p, &v, static_cast<std::size_t>(count) * sizeof(T));
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
};

// Calls body(part, i) for i = 0, lanes, 2 * lanes, ...; the tail runs the same body on a Partial.
template <class T, class Body>
FLYBALL_INLINE void for_each_vector(Index count, Body body) {
  Index i = 0;
  for (; i + lanes<T> <= count; i += lanes<T>) body(Whole{}, i);
  if (i < count) body(Partial{count - i}, i);
}

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

// Transposes a square of lanes x lanes: blocks of half the side are exchanged, then of a quarter, and so on.
template <class T, int STRIDE = static_cast<int>(lanes<T>) / 2>
FLYBALL_INLINE void transpose(Vec<T> (&rows)[lanes<T>]) {
#pragma GCC unroll 16
  for (int i = 0; i < static_cast<int>(lanes<T>); ++i) {
    if ((i & STRIDE) == 0) {
      exchange<T, STRIDE>(rows[i], rows[i + STRIDE], typename LanesUpTo<static_cast<int>(lanes<T>)>::type{});
    }
  }
  if constexpr (STRIDE > 1) transpose<T, STRIDE / 2>(rows);
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

}  // namespace
}  // namespace flyball
