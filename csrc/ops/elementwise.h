// Shares of flat arrays.
#pragma once

#include "runtime/team.h"

namespace flyball {

// Elements in a block of a flat array: a multiple of every vector's lanes and of the 64 elements that one group of
// random numbers decides; small enough that a few arrays' blocks fit the first-level cache.
inline constexpr Index flat_block = 2048;

// Runs body(begin, count) on this thread's blocks of `count` elements.
template <class Body>
void for_blocks(const Team& team, Index count, Body body) {
  const Range blocks = team.range((count + flat_block - 1) / flat_block);
  const Index begin = blocks.begin * flat_block;
  const Index end = blocks.end * flat_block < count ? blocks.end * flat_block : count;
  if (begin < end) body(begin, end - begin);
}

}  // namespace flyball
