// Shares of flat arrays.
#pragma once

#include "runtime/team.h"

namespace flyball {

// Elements in a block of a flat array: a multiple of every vector's lanes and of the 64 or 1024 elements that one
// group of random numbers decides; small enough that a few arrays' blocks fit the first-level cache.
inline constexpr Index flat_block = 2048;

inline Index flat_blocks(Index count) { return (count + flat_block - 1) / flat_block; }

// Runs body(begin, count) on this thread's blocks of `count` elements.
template <class Body>
void for_blocks(const Team& team, Index count, Body body) {
  const Range blocks = team.range(flat_blocks(count));
  const Index begin = blocks.begin * flat_block;
  const Index end = blocks.end * flat_block < count ? blocks.end * flat_block : count;
  if (begin < end) body(begin, end - begin);
}

// Bytes of the team's workspace that add_blocks uses, until the caller's next barrier.
inline std::size_t add_blocks_workspace(Index count) {
  return static_cast<std::size_t>(flat_blocks(count)) * sizeof(double);
}

// *total += the sum of body(begin, count) over all blocks, added in their order: the same bits for any team.
template <class Body>
void add_blocks(Team& team, double* total, Index count, Body body) {
  double* partial = team.workspace<double>();
  const Index blocks = flat_blocks(count);
  const Range mine = team.range(blocks);
  for (Index block = mine.begin; block < mine.end; ++block) {
    const Index begin = block * flat_block;
    partial[block] = body(begin, count - begin < flat_block ? count - begin : flat_block);
  }
  team.barrier();
  if (team.rank() == 0) {
    double sum = 0.0;
    for (Index block = 0; block < blocks; ++block) sum += partial[block];
    *total += sum;
  }
}

}  // namespace flyball
