// One row per operation: how an instruction's buffers and scalars become the operation's arguments.
#include "program/operations.h"

#include <stdexcept>

#include "flyball/ops.h"

namespace flyball {
namespace {

using I = const Instruction&;

// The part of buffer k that this step sees; null where it is absent.
template <class T>
T* at(const Step& step, I i, std::size_t k) {
  const Buffer* buffer = i.buffers[k];
  if (buffer == nullptr) return nullptr;
  char* data = static_cast<char*>(buffer->data);
  if (buffer->kind == Kind::window) data += step.start * buffer->row_bytes;
  return reinterpret_cast<T*>(data);
}

Index rows(const Step& step, I i, std::size_t k) {
  return i.buffers[k]->kind == Kind::whole ? i.buffers[k]->rows : step.rows;
}

Index columns(I i, std::size_t k) { return i.buffers[k]->columns; }

double number(const Step& step, I i, std::size_t k) {
  switch (i.scalars[k].dynamic) {
    case Dynamic::none:
      return i.scalars[k].number;
    case Dynamic::learning_rate:
      return step.learning_rate;
    case Dynamic::step:
      return static_cast<double>(step.count);
    case Dynamic::count:
      return static_cast<double>(step.count + 1);
    case Dynamic::inverse_rows:
      return 1.0 / static_cast<double>(step.rows);
  }
  return 0;
}

std::uint64_t integer(const Step& step, I i, std::size_t k) {
  switch (i.scalars[k].dynamic) {
    case Dynamic::step:
      return step.count;
    case Dynamic::count:
      return step.count + 1;
    default:
      return i.scalars[k].integer;
  }
}

// Elements of the largest batch.
Index count(I i, std::size_t k) { return i.buffers[k]->rows * i.buffers[k]->columns; }

double first_array_cost(I i) { return elementwise_cost(count(i, 0)); }

template <class T>
void dense_forward(Team& team, const Step& s, I i) {
  flyball::dense_forward(team, at<T>(s, i, 0), at<const T>(s, i, 1), at<const T>(s, i, 2), at<const T>(s, i, 3),
                         rows(s, i, 0), columns(i, 1), columns(i, 2), i.activations[0]);
}

double dense_forward_cost(I i) { return matmul_cost(i.buffers[0]->rows, columns(i, 2), columns(i, 1)); }

template <class T>
void dense_backward(Team& team, const Step& s, I i) {
  flyball::dense_backward(team, at<T>(s, i, 0), at<T>(s, i, 1), at<T>(s, i, 2), at<const T>(s, i, 3),
                          at<const T>(s, i, 4), at<const T>(s, i, 5), rows(s, i, 3), columns(i, 4), columns(i, 5));
}

double backward_cost(I i) { return dense_backward_cost(i.buffers[3]->rows, columns(i, 4), columns(i, 5)); }

template <class T>
void relu_backward(Team& team, const Step& s, I i) {
  flyball::relu_backward(team, at<T>(s, i, 0), at<const T>(s, i, 1), at<const T>(s, i, 2),
                         rows(s, i, 0) * columns(i, 0));
}

template <class T>
void relu_forward(Team& team, const Step& s, I i) {
  flyball::relu_forward(team, at<T>(s, i, 0), at<const T>(s, i, 1), rows(s, i, 0) * columns(i, 0));
}

#define FLYBALL_BOTH(name) name<float>, name<double>
constexpr Operation operations[] = {
    {"dense_forward", 4, 0, 1, FLYBALL_BOTH(dense_forward), dense_forward_cost, nullptr},
    {"dense_backward", 6, 0, 0, FLYBALL_BOTH(dense_backward), backward_cost, nullptr},
    {"relu_forward", 2, 0, 0, FLYBALL_BOTH(relu_forward), first_array_cost, nullptr},
    {"relu_backward", 3, 0, 0, FLYBALL_BOTH(relu_backward), first_array_cost, nullptr},
};
#undef FLYBALL_BOTH

}  // namespace

const Operation& find_operation(const std::string& name) {
  for (const Operation& operation : operations) {
    if (name == operation.name) return operation;
  }
  throw std::invalid_argument("op must be one a Program can contain, got '" + name + "'");
}

}  // namespace flyball
