// Masks of dropout in memory: a byte an element, 0 or 1, or a bit. Included by *.kernel.h only: see variant.h.
#pragma once

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "kernels/simd.h"

namespace flyball {
namespace {

// Loops over small arrays instead of __builtin_convertvector, which GCC 12 takes apart lane by lane: these become one
// widening move.
template <class T>
FLYBALL_INLINE IntVec<T> load_mask(Whole, const std::uint8_t* mask) {
  typename Bits<T>::Signed wide[lanes<T>];
  for (Index l = 0; l < lanes<T>; ++l) wide[l] = mask[l];
  IntVec<T> vector;
  __builtin_memcpy(&vector, wide, sizeof(vector));
  return vector != 0;
}

template <class T>
FLYBALL_INLINE IntVec<T> load_mask(Partial part, const std::uint8_t* mask) {
  std::uint8_t bytes[lanes<T>] = {};
  __builtin_memcpy(bytes, mask, static_cast<std::size_t>(part.count));
  return load_mask<T>(Whole{}, bytes);
}

// Elements [i, i + lanes) of a mask of bits, i a multiple of the lanes; `count` of them, whose bytes alone are read.
template <class T>
FLYBALL_INLINE IntVec<T> load_bits(const std::uint8_t* bits, Index i, Index count) {
  std::uint32_t word = bits[i / 8];
  if constexpr (lanes < T >> 8) {
    if (count > 8) word |= static_cast<std::uint32_t>(bits[i / 8 + 1]) << 8;
  }
  using Signed = typename Bits<T>::Signed;
  IntVec<T> lane_bit;
  for (Index l = 0; l < lanes<T>; ++l) lane_bit[l] = Signed{1} << l;
  return ((IntVec<T>{} + static_cast<Signed>(word >> (i % 8))) & lane_bit) != 0;
}

template <class T>
FLYBALL_INLINE IntVec<T> load_bits(Whole, const std::uint8_t* bits, Index i) {
  return load_bits<T>(bits, i, lanes<T>);
}
template <class T>
FLYBALL_INLINE IntVec<T> load_bits(Partial part, const std::uint8_t* bits, Index i) {
  return load_bits<T>(bits, i, part.count);
}

#if !defined(__AVX512F__)  // which tests bytes: dropout.kernel.h
// A bit a lane of a mask, which is -1 or 0. With the loop, dropout that stores bits took 2.5 times as long (AVX2).
FLYBALL_INLINE std::uint32_t bits_of(IntVec<float> mask) {
#if defined(__AVX2__)
  return static_cast<std::uint32_t>(_mm256_movemask_ps((__m256)mask));
#elif defined(__SSE2__)
  return static_cast<std::uint32_t>(_mm_movemask_ps((__m128)mask));
#else
  std::uint32_t bits = 0;
  for (Index l = 0; l < lanes<float>; ++l) bits |= static_cast<std::uint32_t>(mask[l] & 1) << l;
  return bits;
#endif
}
#endif

}  // namespace
}  // namespace flyball
