// Which elements a fused activation and dropout let through. Included by *.kernel.h only: see variant.h.
#pragma once

#include "kernels/mask.kernel.h"
#include "kernels/simd.h"

namespace flyball {
namespace {

// What dropout lets through of the value v of element `at`: it selects, so that inf and nan are dropped too.
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

template <class T, class Body>
FLYBALL_INLINE void with_mask(const std::uint8_t* mask, Body body) {
  if (mask != nullptr) {
    body(WhereKept<T>{mask});
  } else {
    body(Everything<T>{});
  }
}

// What activation and dropout let through of the gradient v of element `at`, of which the activation was given z.
template <class T, class Kept>
struct WhereAny {
  Kept kept;
  template <class Part>
  FLYBALL_INLINE Vec<T> operator()(Part part, Index at, Vec<T>, Vec<T> v) const {
    return kept(part, at, v);
  }
};

template <class T, class Kept>
struct WherePositive {
  Kept kept;
  template <class Part>
  FLYBALL_INLINE Vec<T> operator()(Part part, Index at, Vec<T> z, Vec<T> v) const {
    return kept(part, at, select<T>(z > zero<T>(), v, zero<T>()));
  }
};

template <class T, class Body>
FLYBALL_INLINE void with_gate(Activation activation, const std::uint8_t* mask, Body body) {
  with_mask<T>(mask, [&](auto kept) {
    if (activation == Activation::relu) {
      body(WherePositive<T, decltype(kept)>{kept});
    } else {
      body(WhereAny<T, decltype(kept)>{kept});
    }
  });
}

// No value lies below the floor of the linear activation; nan lies below none.
template <class T>
FLYBALL_INLINE Vec<T> floor_of(Activation activation) {
  return broadcast(activation == Activation::relu ? T(0) : -static_cast<T>(__builtin_inf()));
}

}  // namespace
}  // namespace flyball
