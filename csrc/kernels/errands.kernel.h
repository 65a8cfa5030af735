// What a tile of a matrix product asks for while it multiplies, because it is needed behind it.
//
// Lines from far away that are asked for all at once fill the buffers through which the next rows of B come, and the
// tile waits; so they are asked for a few at a time, before each vector's worth of steps.
#pragma once

#include "kernels/simd.h"

namespace flyball {
namespace {

constexpr int errand_runs = 4;

// Before each vector's worth of steps a line of each run, and two of a row of C.
template <class T>
struct Errands {
  const T* runs[errand_runs];
  const T* c;
  bool all_of_c;  // the tile is deep enough to ask for all its rows of C
};

// Elements that will be read before long: `rows` runs of `length`, `stride` apart.
template <class T>
struct Upcoming {
  const T* data = nullptr;
  Index stride = 0;
  Index rows = 0;
  Index length = 0;
  Index piece = 0;  // of a run, what one tile asks for
  Index done = 0;   // of the first run

  Index pieces() const { return rows == 0 ? 0 : rows * ((length + piece - 1) / piece); }

  // Where the next piece begins; nothing more to ask for: `otherwise`.
  const T* next(const T* otherwise) {
    if (rows == 0) return otherwise;
    const T* const from = data + done;
    done += piece;
    if (done >= length) {
      done = 0;
      data += stride;
      --rows;
    }
    return from;
  }
};

}  // namespace
}  // namespace flyball
