// Panels of a B that is not in a near cache, packed while others are multiplied.
#pragma once

#include "kernels/pack.kernel.h"
#include "kernels/simd.h"

namespace flyball {
namespace {

// The whole panels of B, in groups of group_columns: of each row, and so of each page, several lines are read at once.
template <class T, Index tile_columns, Index group_columns>
class PanelsAhead {
 public:
  // `columns` of them, for each panel of which `tiles` tiles are computed; scratch for two groups.
  PanelsAhead(Matrix<T> b, Index depth, Index columns, Index tiles, T* scratch)
      : unpacked_(b),
        depth_(depth),
        unpacked_columns_(columns),
        each_(depth / (group_columns / tile_columns * tiles - 1) + 1),
        other_(scratch),
        last_(scratch + depth * group_columns) {
    begin();
  }

  // The next group: its panels, one behind the other.
  const T* next() {
    if (by_rows()) {
      while (left_ > 0) pack_rows_of_group();
    } else {
      pack_all_rows_of_group();
    }
    T* const group = other_;
    other_ = last_;
    last_ = group;
    columns_ = width_;
    begin();
    return group;
  }
  Index columns() const { return columns_; }  // of that group

  // Packs some rows of the one after it. Of columns runs are long, and asking for so many lines ahead was no quicker.
  FLYBALL_INLINE void pack_some() {
    if (left_ > 0 && by_rows()) pack_rows_of_group();
  }

 private:
  bool by_rows() const { return unpacked_.column_stride == 1; }

  void begin() {
    width_ = unpacked_columns_ < group_columns ? unpacked_columns_ : group_columns;
    unpacked_columns_ -= width_;
    if (width_ == 0) return;
    left_ = depth_;
    row_ = unpacked_.data;
    to_ = other_;
    unpacked_.data += width_ * unpacked_.column_stride;
    if (by_rows()) ask_for_rows();
  }

  void pack_all_rows_of_group() {
    for (Index j = 0; j < width_; j += tile_columns) {
      const T* from = row_ + j * unpacked_.column_stride;
      pack_panel(to_ + j * depth_, from, unpacked_, depth_, tile_columns, tile_columns);
    }
    left_ = 0;
  }

  // Rows that were asked for the time before.
  __attribute__((noinline)) void pack_rows_of_group() {
    const T* from = row_;
    const Index rows = left_ < each_ ? left_ : each_;
    left_ -= rows;
    row_ += rows * unpacked_.row_stride;
    ask_for_rows();
    for (Index k = 0; k < rows; ++k, from += unpacked_.row_stride, to_ += tile_columns) {
      for (Index j = 0; j < width_; j += tile_columns) {
        const Vec<T> low = load(from + j);
        const Vec<T> high = load(from + j + lanes<T>);
        store(to_ + j * depth_, low);
        store(to_ + j * depth_ + lanes<T>, high);
      }
    }
  }

  // All at once: between the copies it took longer. A row that begins within a line ends in one that the group before
  // has not had.
  FLYBALL_INLINE void ask_for_rows() const {
    constexpr Index line = 64 / static_cast<Index>(sizeof(T));
    const T* from = row_;
    for (Index k = left_ < each_ ? left_ : each_; k > 0; --k, from += unpacked_.row_stride) {
      for (Index end = line; end <= width_; end += line) __builtin_prefetch(from + end - 1);
    }
  }

  Matrix<T> unpacked_;  // what lies behind the group that is packed
  Index depth_;
  Index unpacked_columns_;
  Index each_;              // rows packed at a time
  T* other_;                // the scratch of the group that is packed
  T* last_;                 // and of the one before it
  const T* row_ = nullptr;  // its next row, and where that goes
  T* to_ = nullptr;
  Index width_ = 0;    // its columns
  Index left_ = 0;     // rows of it
  Index columns_ = 0;  // of the one before it
};

}  // namespace
}  // namespace flyball
