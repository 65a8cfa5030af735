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

// The shape of a matrix in this step.
struct Shape2 {
  Index n;
  Index c;
};

Shape2 shape(const Step& step, I i, std::size_t k) { return {rows(step, i, k), columns(i, k)}; }

Keep keep(I i, std::size_t scalar) { return keep_at(i.scalars[scalar].number); }

// seed, stream and step stand together in every operation that draws.
RandomKey random_key(const Step& step, I i, std::size_t seed) {
  return {integer(step, i, seed), static_cast<std::uint32_t>(integer(step, i, seed + 1)), integer(step, i, seed + 2)};
}

// l1, l2 and weight_decay stand together at the end of every update.
Penalty penalty(const Step& step, I i, std::size_t l1) {
  return {number(step, i, l1), number(step, i, l1 + 1), number(step, i, l1 + 2)};
}

// y, mean, rstd, running_mean, running_var, x, gamma, beta, mask; momentum, epsilon, unbiased, rate; activation
template <class T>
void batch_norm_forward(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 0);
  const BatchNormParams params = {number(s, i, 0), number(s, i, 1), number(s, i, 2) != 0, i.activations[0]};
  flyball::batch_norm_forward(team, at<T>(s, i, 0), at<double>(s, i, 1), at<double>(s, i, 2), at<T>(s, i, 3),
                              at<T>(s, i, 4), at<const T>(s, i, 5), at<const T>(s, i, 6), at<const T>(s, i, 7),
                              at<const std::uint8_t>(s, i, 8), n, c, params, keep(i, 3));
}

// dx, dgamma, dbeta, dy, y, x, gamma, beta, mean, rstd, mask; rate; activation
template <class T>
void batch_norm_backward(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 3);
  flyball::batch_norm_backward(team, at<T>(s, i, 0), at<T>(s, i, 1), at<T>(s, i, 2), at<const T>(s, i, 3),
                               at<const T>(s, i, 4), at<const T>(s, i, 5), at<const T>(s, i, 6),
                               at<const double>(s, i, 8), at<const double>(s, i, 9), at<const std::uint8_t>(s, i, 10),
                               n, c, i.activations[0], keep(i, 0));
}

double batch_norm_forward_cost(I i) { return batch_norm_cost(i.buffers[0]->rows, columns(i, 0)); }
std::size_t batch_norm_forward_workspace(I i) { return batch_norm_workspace(i.buffers[0]->rows, columns(i, 0)); }
double batch_norm_backward_cost(I i) { return batch_norm_cost(i.buffers[3]->rows, columns(i, 3)); }
std::size_t batch_norm_backward_workspace(I i) { return batch_norm_workspace(i.buffers[3]->rows, columns(i, 3)); }

// y, x, gamma, beta, running_mean, running_var; epsilon; activation
template <class T>
void batch_norm_inference(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 0);
  flyball::batch_norm_inference(team, at<T>(s, i, 0), at<const T>(s, i, 1), at<const T>(s, i, 2), at<const T>(s, i, 3),
                                at<const T>(s, i, 4), at<const T>(s, i, 5), n, c, number(s, i, 0), i.activations[0]);
}

// mask; rate, seed, stream, step
void dropout_mask(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 0);
  flyball::dropout_mask(team, at<std::uint8_t>(s, i, 0), n * c, keep(i, 0), random_key(s, i, 1));
}

// y, mask, x; rate, seed, stream, step, draw
template <class T>
void dropout_forward(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 0);
  if (number(s, i, 4) != 0) {
    flyball::dropout_forward(team, at<T>(s, i, 0), at<std::uint8_t>(s, i, 1), at<const T>(s, i, 2), n * c, keep(i, 0),
                             random_key(s, i, 1));
  } else {
    flyball::dropout_apply(team, at<T>(s, i, 0), at<const T>(s, i, 2), at<const std::uint8_t>(s, i, 1), n * c,
                           keep(i, 0));
  }
}

// dx, dy, mask; rate, seed, stream, step
template <class T>
void dropout_backward(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 0);
  if (i.buffers[2] == nullptr) {
    flyball::dropout_forward<T>(team, at<T>(s, i, 0), nullptr, at<const T>(s, i, 1), n * c, keep(i, 0),
                                random_key(s, i, 1));
  } else {
    flyball::dropout_apply(team, at<T>(s, i, 0), at<const T>(s, i, 1), at<const std::uint8_t>(s, i, 2), n * c,
                           keep(i, 0));
  }
}

double first_dropout_cost(I i) { return dropout_cost(count(i, 0)); }

// y, x
template <class T>
void softmax_forward(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 0);
  flyball::softmax_forward(team, at<T>(s, i, 0), at<const T>(s, i, 1), n, c);
}

// dx, dy, y
template <class T>
void softmax_backward(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 0);
  flyball::softmax_backward(team, at<T>(s, i, 0), at<const T>(s, i, 1), at<const T>(s, i, 2), n, c);
}

double first_softmax_cost(I i) { return softmax_cost(i.buffers[0]->rows, columns(i, 0)); }

// losses, hits, dlogits, logits, labels or targets; scale
template <class T>
void softmax_cross_entropy(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 3);
  flyball::softmax_cross_entropy(team, at<double>(s, i, 0), at<double>(s, i, 1), at<T>(s, i, 2), at<const T>(s, i, 3),
                                 at<const Index>(s, i, 4), n, c, number(s, i, 0));
}

template <class T>
void softmax_cross_entropy_soft(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 3);
  flyball::softmax_cross_entropy_soft(team, at<double>(s, i, 0), at<double>(s, i, 1), at<T>(s, i, 2),
                                      at<const T>(s, i, 3), at<const T>(s, i, 4), n, c, number(s, i, 0));
}

double cross_entropy_cost(I i) { return softmax_cost(i.buffers[3]->rows, columns(i, 3)); }

// losses, dpredictions, predictions, targets; scale
template <class T>
void mean_squared_error(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 2);
  flyball::mean_squared_error(team, at<double>(s, i, 0), at<T>(s, i, 1), at<const T>(s, i, 2), at<const T>(s, i, 3), n,
                              c, number(s, i, 0));
}

double squared_error_cost(I i) { return mean_squared_error_cost(i.buffers[2]->rows, columns(i, 2)); }

// w, velocity, penalty, g; learning_rate, momentum, nesterov, l1, l2, weight_decay
template <class T>
void sgd_update(Team& team, const Step& s, I i) {
  const SgdParams params = {number(s, i, 0), number(s, i, 1), number(s, i, 2) != 0, penalty(s, i, 3)};
  flyball::sgd_update(team, at<T>(s, i, 0), at<T>(s, i, 1), at<double>(s, i, 2), at<const T>(s, i, 3), count(i, 0),
                      params);
}

// w, m, v, penalty, g; learning_rate, beta_1, beta_2, epsilon, step, l1, l2, weight_decay
template <class T>
void adam_update(Team& team, const Step& s, I i) {
  const AdamParams params = {
      number(s, i, 0), number(s, i, 1), number(s, i, 2), number(s, i, 3), static_cast<std::int64_t>(integer(s, i, 4)),
      penalty(s, i, 5)};
  flyball::adam_update(team, at<T>(s, i, 0), at<T>(s, i, 1), at<T>(s, i, 2), at<double>(s, i, 3), at<const T>(s, i, 4),
                       count(i, 0), params);
}

double first_update_cost(I i) { return update_cost(count(i, 0)); }
std::size_t first_update_workspace(I i) { return update_workspace(count(i, 0)); }

// out, x, rows
template <class T>
void gather(Team& team, const Step& s, I i) {
  const Buffer& x = *i.buffers[1];
  flyball::gather(team, at<T>(s, i, 0), Source{x.data, x.row_bytes, x.type}, at<const Index>(s, i, 2), rows(s, i, 0),
                  columns(i, 0));
}

double first_gather_cost(I i) { return gather_cost(i.buffers[0]->rows, columns(i, 0)); }

// out, labels, rows
void gather_labels(Team& team, const Step& s, I i) {
  flyball::gather_labels(team, at<Index>(s, i, 0), at<const Index>(s, i, 1), at<const Index>(s, i, 2), rows(s, i, 0));
}

// total, values
void add_total(Team& team, const Step& s, I i) {
  flyball::add_total(team, at<double>(s, i, 0), at<const double>(s, i, 1), rows(s, i, 1));
}

double last_array_cost(I i) { return elementwise_cost(count(i, i.buffers.size() - 1)); }

#define FLYBALL_BOTH(name) name<float>, name<double>
#define FLYBALL_ONE(name) name, name
constexpr Operation operations[] = {
    {"dense_forward", 4, 0, 1, 1, 0, FLYBALL_BOTH(dense_forward), dense_forward_cost, nullptr},
    {"dense_backward", 6, 0, 0, 3, 3, FLYBALL_BOTH(dense_backward), backward_cost, nullptr},
    {"batch_norm_forward", 9, 4, 1, 5, 0, FLYBALL_BOTH(batch_norm_forward), batch_norm_forward_cost,
     batch_norm_forward_workspace},
    {"batch_norm_backward", 11, 1, 1, 3, 3, FLYBALL_BOTH(batch_norm_backward), batch_norm_backward_cost,
     batch_norm_backward_workspace},
    {"batch_norm_inference", 6, 1, 1, 1, 0, FLYBALL_BOTH(batch_norm_inference), batch_norm_forward_cost, nullptr},
    {"dropout_mask", 1, 4, 0, 1, 0, FLYBALL_ONE(dropout_mask), first_dropout_cost, nullptr},
    {"dropout_forward", 3, 5, 0, 2, 0, FLYBALL_BOTH(dropout_forward), first_dropout_cost, nullptr},
    {"dropout_backward", 3, 4, 0, 1, 0, FLYBALL_BOTH(dropout_backward), first_dropout_cost, nullptr},
    {"relu_forward", 2, 0, 0, 1, 0, FLYBALL_BOTH(relu_forward), first_array_cost, nullptr},
    {"relu_backward", 3, 0, 0, 1, 0, FLYBALL_BOTH(relu_backward), first_array_cost, nullptr},
    {"softmax_forward", 2, 0, 0, 1, 0, FLYBALL_BOTH(softmax_forward), first_softmax_cost, nullptr},
    {"softmax_backward", 3, 0, 0, 1, 0, FLYBALL_BOTH(softmax_backward), first_softmax_cost, nullptr},
    {"softmax_cross_entropy", 5, 1, 0, 3, 3, FLYBALL_BOTH(softmax_cross_entropy), cross_entropy_cost, nullptr},
    {"softmax_cross_entropy_soft", 5, 1, 0, 3, 3, FLYBALL_BOTH(softmax_cross_entropy_soft), cross_entropy_cost,
     nullptr},
    {"mean_squared_error", 4, 1, 0, 2, 2, FLYBALL_BOTH(mean_squared_error), squared_error_cost, nullptr},
    {"sgd_update", 4, 6, 0, 3, 0, FLYBALL_BOTH(sgd_update), first_update_cost, first_update_workspace},
    {"adam_update", 5, 8, 0, 4, 0, FLYBALL_BOTH(adam_update), first_update_cost, first_update_workspace},
    {"gather", 3, 0, 0, 1, 0, FLYBALL_BOTH(gather), first_gather_cost, nullptr},
    {"gather_labels", 3, 0, 0, 1, 0, FLYBALL_ONE(gather_labels), last_array_cost, nullptr},
    {"add_total", 2, 0, 0, 1, 0, FLYBALL_ONE(add_total), last_array_cost, nullptr},
};
#undef FLYBALL_ONE
#undef FLYBALL_BOTH

}  // namespace

const Operation& find_operation(const std::string& name) {
  for (const Operation& operation : operations) {
    if (name == operation.name) return operation;
  }
  throw std::invalid_argument("op must be one a Program can contain, got '" + name + "'");
}

}  // namespace flyball
