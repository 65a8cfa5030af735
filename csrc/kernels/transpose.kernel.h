// Squares of lanes x lanes, transposed: in registers, and from one place in memory to another. Included by *.kernel.h
// only: see variant.h.
#pragma once

#include "kernels/simd.h"

namespace flyball {
namespace {

// In registers: blocks of half the side are exchanged, then of a quarter, and so on.
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

#if defined(__AVX512F__)

// Blocks of 16 bytes, `stride` elements apart, side by side.
template <class T>
FLYBALL_INLINE Vec<T> load_blocks(const T* p, Index stride) {
  const auto block = [=](Index i)
                         FLYBALL_INLINE_LAMBDA { return _mm_loadu_ps(reinterpret_cast<const float*>(p + i * stride)); };
  __m512 blocks = _mm512_castps128_ps512(block(0));
  blocks = _mm512_insertf32x4(blocks, block(1), 1);
  blocks = _mm512_insertf32x4(blocks, block(2), 2);
  blocks = _mm512_insertf32x4(blocks, block(3), 3);
  return (Vec<T>)blocks;
}

// Of the first or the second half of each 16 bytes of a and b: an element of a, one of b, the next of a, ...
template <class T, int HALF, int... I>
FLYBALL_INLINE Vec<T> interleave(Vec<T> a, Vec<T> b, Lanes<I...>) {
  constexpr int block = 16 / static_cast<int>(sizeof(T));
  constexpr int n = static_cast<int>(lanes<T>);
  return __builtin_shufflevector(a, b, (I % 2 * n + I / block * block + HALF * block / 2 + I % block / 2)...);
}

// From the square that begins at `in` to the one at `out`. Loads put blocks of 16 bytes in their places, so that no
// shuffle has to cross one: half as many as in registers. Of eight lanes (AVX2) that was slower.
template <class T>
FLYBALL_INLINE void transpose_square(T* out, Index out_stride, const T* in, Index in_stride) {
  constexpr int side = static_cast<int>(lanes<T>);
  constexpr int block = 16 / static_cast<int>(sizeof(T));
  using All = typename LanesUpTo<side>::type;
  const T* from[block];
#pragma GCC unroll 4
  for (int i = 0; i < block; ++i) {
    from[i] = in + i * in_stride;
    asm("" : "+r"(from[i]));  // else GCC 12 keeps the address of each block, most of them in memory
  }
#pragma GCC unroll 8
  for (int k = 0; k < side; k += block) {
    Vec<T> x[block];
#pragma GCC unroll 4
    for (int i = 0; i < block; ++i) x[i] = load_blocks(from[i] + k, block * in_stride);
#pragma GCC unroll 2
    for (int apart = block / 2; apart >= 1; apart /= 2) {
#pragma GCC unroll 4
      for (int i = 0; i < block; ++i) {
        if ((i & apart) != 0) continue;
        const Vec<T> first = interleave<T, 0>(x[i], x[i + apart], All{});
        x[i + apart] = interleave<T, 1>(x[i], x[i + apart], All{});
        x[i] = first;
      }
    }
#pragma GCC unroll 4
    for (int i = 0; i < block; ++i) store(out + (k + i) * out_stride, x[i]);
  }
}

#endif

}  // namespace
}  // namespace flyball
