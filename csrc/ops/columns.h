// Shares of the columns and rows of matrices.
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

// Matrices whose rows are samples are cut into blocks of rows, of which each thread has some that follow each other:
// the same in every operation, so that what a thread has written it finds in its own cache. At most 8 blocks, but of 32
// to 256 rows: enough for a few threads, few enough that combining their sums costs little.
inline Index row_block(Index n) { return std::clamp<Index>((n + 31) / 32 * 4, 32, 256); }

inline Index row_blocks(Index n) { return (n + row_block(n) - 1) / row_block(n); }

// Part `part` of `parts`, in whole units of `size`.
inline Range units_of(Index parts, Index part, Index size, Index unit) {
  const Index units = (size + unit - 1) / unit;
  return {std::min(size, units * part / parts * unit), std::min(size, units * (part + 1) / parts * unit)};
}

}  // namespace flyball
