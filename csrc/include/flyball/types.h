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

// A matrix operand of any layout: element (i, j) is data[i * row_stride + j * column_stride].
template <class T>
struct Matrix {
  const T* data;
  Index row_stride;
  Index column_stride;

  Matrix transposed() const { return {data, column_stride, row_stride}; }
};

// Activations that operations can fuse. The names are those of backend.ACTIVATIONS.
enum class Activation : int { linear, relu };

}  // namespace flyball
