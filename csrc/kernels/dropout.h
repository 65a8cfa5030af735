// Kernels of the dropout family, one thread each.
#pragma once

#include "flyball/params.h"

namespace flyball {

template <class T>
struct DropoutKernels {
  // Elements [begin, begin + count) of a flat array; `begin` is a multiple of 64, pointers are to element `begin`.
  // mask = 1 where the element is kept, else 0.
  void (*mask)(std::uint8_t* mask, Index begin, Index count, Keep keep, RandomKey key);
  // y = x / keep where the element is kept, else 0; stores the mask too unless that is null.
  void (*draw)(T* y, std::uint8_t* mask, const T* x, Index begin, Index count, Keep keep, RandomKey key);
  // The same with a mask that is given.
  void (*apply)(T* y, const T* x, const std::uint8_t* mask, Index count, Keep keep);
};

}  // namespace flyball
