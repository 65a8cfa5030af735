// Which elements a fused activation and dropout let through. Included by *.kernel.h only: see variant.h.
#pragma once

#include "kernels/mask.kernel.h"
#include "kernels/simd.h"

namespace flyball {
namespace {

// A gate lets the value of element `at` through, or makes it +0: it selects, so that inf and nan are dropped too.
template <class T>
struct Everything {
  template <class Part>
  FLYBALL_INLINE Vec<T> operator()(Part, Index, Vec<T> v) const {
    return v;
  }
};

template <class T>
struct WhereKept {
  const std::uint8_t* mask;
  template <class Part>
  FLYBALL_INLINE Vec<T> operator()(Part part, Index at, Vec<T> v) const {
    return select<T>(load_mask<T>(part, mask + at), v, zero<T>());
  }
};

template <class T>
struct WherePositive {
  const T* y;
  template <class Part>
  FLYBALL_INLINE Vec<T> operator()(Part part, Index at, Vec<T> v) const {
    return select<T>(part.load(y + at) > zero<T>(), v, zero<T>());
  }
};

template <class T, class Body>
FLYBALL_INLINE void with_gate(const T* y, const std::uint8_t* mask, Body body) {
  if (y != nullptr) {
    body(WherePositive<T>{y});
  } else if (mask != nullptr) {
    body(WhereKept<T>{mask});
  } else {
    body(Everything<T>{});
  }
}

// No value lies below the floor of the linear activation; nan lies below none.
template <class T>
FLYBALL_INLINE Vec<T> floor_of(Activation activation) {
  return broadcast(activation == Activation::relu ? T(0) : -static_cast<T>(__builtin_inf()));
}

}  // namespace
}  // namespace flyball
