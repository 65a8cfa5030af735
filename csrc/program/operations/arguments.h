// How an instruction's buffers and scalars become an operation's arguments.
#pragma once

#include "flyball/ops.h"
#include "program/operations.h"

namespace flyball {

using I = const Instruction&;

// The part of buffer k that this step sees; null where it is absent.
template <class T>
T* at(const Step& step, I i, std::size_t k) {
  const Buffer* buffer = i.buffers[k];
  if (buffer == nullptr) return nullptr;
  char* data = static_cast<char*>(buffer->data);
  if (buffer->kind == Kind::window) data += step.start * buffer->rows_per_sample * buffer->row_bytes;
  return reinterpret_cast<T*>(data);
}

inline Index rows(const Step& step, I i, std::size_t k) {
  const Buffer& buffer = *i.buffers[k];
  return buffer.kind == Kind::whole ? buffer.rows : step.rows * buffer.rows_per_sample;
}

inline Index columns(I i, std::size_t k) { return i.buffers[k]->columns; }

// The extent of an axis of buffer k after the first.
inline Index extent(I i, std::size_t k, std::size_t axis) { return i.buffers[k]->extents[axis]; }

inline double number(const Step& step, I i, std::size_t k) {
  switch (i.scalars[k].dynamic) {
    case Dynamic::none:
      return i.scalars[k].number;
    case Dynamic::learning_rate:
      return step.learning_rate;
    case Dynamic::step:
      return static_cast<double>(step.count);
    case Dynamic::count:
      return static_cast<double>(step.updates + 1);
    case Dynamic::inverse_rows:
      return 1.0 / static_cast<double>(step.rows);
    case Dynamic::inverse_positions:
      return 1.0 / static_cast<double>(rows(step, i, 0));
  }
  return 0;
}

inline std::uint64_t integer(const Step& step, I i, std::size_t k) {
  switch (i.scalars[k].dynamic) {
    case Dynamic::step:
      return step.count;
    case Dynamic::count:
      return step.updates + 1;
    default:
      return i.scalars[k].integer;
  }
}

// From one row to the next, in elements.
template <class T>
Index stride(I i, std::size_t k) {
  return i.buffers[k]->row_bytes / static_cast<Index>(sizeof(T));
}

// Elements of the largest batch.
inline Index count(I i, std::size_t k) { return i.buffers[k]->most_rows * i.buffers[k]->columns; }

// The shape of a matrix in this step.
struct Shape2 {
  Index n;
  Index c;
};

inline Shape2 shape(const Step& step, I i, std::size_t k) { return {rows(step, i, k), columns(i, k)}; }

inline Keep keep(I i, std::size_t scalar) { return keep_at(i.scalars[scalar].number); }

// seed, stream and step stand together in every operation that draws.
inline RandomKey random_key(const Step& step, I i, std::size_t seed) {
  return {integer(step, i, seed), static_cast<std::uint32_t>(integer(step, i, seed + 1)), integer(step, i, seed + 2)};
}

// l1, l2, weight_decay, proximal, clip_value and clip_penalty stand together at the end of every update.
inline Penalty penalty(const Step& step, I i, std::size_t l1) {
  return {number(step, i, l1),          number(step, i, l1 + 1), number(step, i, l1 + 2),
          number(step, i, l1 + 3) != 0, number(step, i, l1 + 4), number(step, i, l1 + 5) != 0};
}

#define FLYBALL_BOTH(name) name<float>, name<double>
#define FLYBALL_ONE(name) name, name

}  // namespace flyball
