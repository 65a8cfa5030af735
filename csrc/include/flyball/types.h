// Types that every layer of the native side shares.
#pragma once

#include <cstddef>
#include <cstdint>

namespace flyball {

using Index = std::int64_t;

// Half-open range of rows, columns, blocks or elements.
struct Range {
  Index begin;
  Index end;
  Index size() const { return end - begin; }
};

// Activations that operations can fuse. The names are those of backend.ACTIVATIONS.
enum class Activation : int { linear, relu };

}  // namespace flyball
