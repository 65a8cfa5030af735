// Lists of the places of elements that are not zero.
#pragma once

#include "kernels/simd.h"

namespace flyball {
namespace {

// Where in a row, or in a part of one, an element is.
using Place = std::uint8_t;
constexpr Index most_places = 256;

// A list is written in whole vectors, the last up to so many places beyond its end.
constexpr Index list_margin = 16;

// Of each set of eight bits, which are set.
struct SetBits {
  Place places[256][8];
  constexpr SetBits() : places() {
    for (int set = 0; set < 256; ++set) {
      int count = 0;
      for (int bit = 0; bit < 8; ++bit) {
        if ((set >> bit & 1) != 0) places[set][count++] = static_cast<Place>(bit);
      }
    }
  }
};

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

// Appends the lanes of v that are not zero to a list of `count`, as places from k on; nan is not zero. Returns the new
// count.
#if defined(__AVX2__)
constexpr SetBits set_bits;

FLYBALL_INLINE Index append_set(Place* list, Index count, unsigned set, Index k) {
  std::uint64_t places;
  __builtin_memcpy(&places, set_bits.places[set], sizeof places);
  places += 0x0101010101010101u * static_cast<std::uint64_t>(k);
  __builtin_memcpy(list + count, &places, sizeof places);
  return count + __builtin_popcount(set);
}
template <class V>
FLYBALL_INLINE Index append(Place* list, Index count, V v, Index k) {
  const unsigned bits = nonzero_lanes(v);
  count = append_set(list, count, bits & 0xff, k);
  if (sizeof(V) / sizeof(v[0]) > 8) count = append_set(list, count, bits >> 8, k + 8);
  return count;
}
#else
template <class V>
FLYBALL_INLINE Index append(Place* list, Index count, V v, Index k) {
  constexpr Index size = static_cast<Index>(sizeof(V) / sizeof(v[0]));
#pragma GCC unroll 4
  for (Index i = 0; i < size; ++i) {
    list[count] = static_cast<Place>(k + i);
    count += v[i] != 0 ? 1 : 0;
  }
  return count;
}
#endif

}  // namespace
}  // namespace flyball
