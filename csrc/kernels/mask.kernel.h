// Masks of dropout in memory: one byte an element, 0 or 1. Included by *.kernel.h only: see variant.h.
#pragma once

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

}  // namespace
}  // namespace flyball
