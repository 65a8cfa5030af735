// Which elements are not zero, as bits. Included by *.kernel.h only: see variant.h.
#pragma once

#include "kernels/simd.h"

namespace flyball {
namespace {

// Of 64 elements of a row, the first by the lowest bit.
using Word = std::uint64_t;
constexpr Index word_bits = 64;

// A bit for each lane that is not zero, the lowest for the first; nan is not zero.
#if defined(__AVX512F__)
FLYBALL_INLINE unsigned nonzero_lanes(Vec<float> v) { return _mm512_cmp_ps_mask(v, Vec<float>{}, _CMP_NEQ_UQ); }
FLYBALL_INLINE unsigned nonzero_lanes(Vec<double> v) { return _mm512_cmp_pd_mask(v, Vec<double>{}, _CMP_NEQ_UQ); }
#elif defined(__AVX2__)
FLYBALL_INLINE unsigned nonzero_lanes(Vec<float> v) {
  return static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(v, Vec<float>{}, _CMP_NEQ_UQ)));
}
FLYBALL_INLINE unsigned nonzero_lanes(Vec<double> v) {
  return static_cast<unsigned>(_mm256_movemask_pd(_mm256_cmp_pd(v, Vec<double>{}, _CMP_NEQ_UQ)));
}
#else
template <class V>
FLYBALL_INLINE unsigned nonzero_lanes(V v) {
  constexpr int size = static_cast<int>(sizeof(V) / sizeof(v[0]));
  unsigned bits = 0;
#pragma GCC unroll 4
  for (int i = 0; i < size; ++i) bits |= static_cast<unsigned>(v[i] != 0) << i;
  return bits;
}
#endif

// Of the first `count` elements of a row, word_bits or fewer.
template <class T>
FLYBALL_INLINE Word nonzeros_of(const T* row, Index count) {
  Word found = 0;
  for_each_vector<T>(count, [&](auto part, Index k) {
    found |= static_cast<Word>(nonzero_lanes(part.template load<T>(row + k))) << k;
  });
  return found;
}

FLYBALL_INLINE Index first_of(Word nonzeros) { return __builtin_ctzll(nonzeros); }
FLYBALL_INLINE Word without_first(Word nonzeros) { return nonzeros & (nonzeros - 1); }
FLYBALL_INLINE int count_of(Word nonzeros) { return __builtin_popcountll(nonzeros); }

}  // namespace
}  // namespace flyball
