// Shares of the columns of matrices.
#pragma once

#include <algorithm>

#include "runtime/team.h"

namespace flyball {

// Elements in 64 bytes: a multiple of every vector's lanes, and a cache line.
template <class T>
inline constexpr Index line = 64 / static_cast<Index>(sizeof(T));

// This thread's columns: whole lines, but for the last of all.
template <class T>
Range columns_of(const Team& team, Index c) {
  const Range lines = team.range((c + line<T> - 1) / line<T>);
  return {lines.begin * line<T>, std::min(lines.end * line<T>, c)};
}

}  // namespace flyball
