#include "program/operations/arguments.h"

namespace flyball {
namespace {

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

constexpr Operation rows_of_table[] = {
    {"dropout_mask", 1, 4, 0, 1, 0, FLYBALL_ONE(dropout_mask), first_dropout_cost, nullptr},
    {"dropout_forward", 3, 5, 0, 2, 0, FLYBALL_BOTH(dropout_forward), first_dropout_cost, nullptr},
    {"dropout_backward", 3, 4, 0, 1, 0, FLYBALL_BOTH(dropout_backward), first_dropout_cost, nullptr},
};

}  // namespace

std::span<const Operation> dropout_operations() { return rows_of_table; }

}  // namespace flyball
