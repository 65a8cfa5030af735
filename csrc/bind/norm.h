// What the bindings of batch normalisation share.
#pragma once

#include "bind/arrays.h"
#include "flyball/ops.h"

namespace flyball::bind {

// Sizes of (n, c, s) or (n, c).
struct Sizes {
  explicit Sizes(const Array& x) : n(size(x, 0)), c(size(x, 1)), s(x.ndim() == 3 ? size(x, 2) : 1) {}
  double cost() const { return batch_norm_cost(n, c, s); }
  std::size_t workspace() const { return batch_norm_workspace(n, c, s); }

  Index n, c, s;
};

}  // namespace flyball::bind
