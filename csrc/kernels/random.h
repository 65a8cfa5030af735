// Kernels of the random family, one thread each.
//
// Elements [begin, begin + count) of a flat array; `begin` is a multiple of 64, pointers are to element `begin`.
#pragma once

#include "flyball/params.h"

namespace flyball {

template <class T>
struct RandomKernels {
  // low + (high - low) * u, below high
  void (*uniform)(T* out, Index begin, Index count, double low, double high, RandomKey key);
  // (x, or mean where x is null) + std * n
  void (*normal)(T* out, const T* x, Index begin, Index count, double mean, double std, RandomKey key);
  // mean + std * n, where |n| <= bound
  void (*truncated_normal)(T* out, Index begin, Index count, double mean, double std, double bound, RandomKey key);
  // x * (1 + std * n)
  void (*gaussian_dropout)(T* y, const T* x, Index begin, Index count, double std, RandomKey key);
  // 64 random bits an element, whatever T is
  void (*words)(std::uint64_t* out, Index begin, Index count, RandomKey key);
};

}  // namespace flyball
