#include "program/operations/arguments.h"

namespace flyball {
namespace {

std::vector<Index> extents(const Step& s, I i, std::size_t k) {
  const Buffer& buffer = *i.buffers[k];
  std::vector<Index> all(buffer.extents, buffer.extents + buffer.ndim);
  all.front() = rows(s, i, k);
  return all;
}

// A mask as a Program sees it: a byte an element, or with an extent of 1 on axes along which one decision is for all.
template <class T>
void apply(Team& team, const Step& s, I i, std::size_t x, std::size_t mask, DropoutMap map) {
  const auto [n, c] = shape(s, i, 0);
  const auto [mask_n, mask_c] = shape(s, i, mask);
  const std::uint8_t* given = at<const std::uint8_t>(s, i, mask);
  if (mask_n == n && mask_c == c) {
    return flyball::dropout_apply(team, at<T>(s, i, 0), at<const T>(s, i, x), {given, MaskLayout::bytes}, n * c, map);
  }
  const Broadcast broadcast(extents(s, i, 0), extents(s, i, mask));
  flyball::dropout_broadcast(team, at<T>(s, i, 0), at<const T>(s, i, x), given, broadcast, map);
}

// y, mask, x; rate, seed, stream, step, draw
template <class T>
void forward(Team& team, const Step& s, I i, DropoutMap map) {
  const auto [n, c] = shape(s, i, 0);
  if (number(s, i, 4) == 0) return apply<T>(team, s, i, 2, 1, map);
  const Mask mask = {at<std::uint8_t>(s, i, 1), MaskLayout::bytes};
  const RandomKey key = random_key(s, i, 1);
  if (mask.data != nullptr && rows(s, i, 1) * columns(i, 1) != n * c) {
    flyball::dropout_mask(team, mask, rows(s, i, 1) * columns(i, 1), keep(i, 0), key);
    team.barrier();
    return apply<T>(team, s, i, 2, 1, map);
  }
  flyball::dropout_forward(team, at<T>(s, i, 0), mask, at<const T>(s, i, 2), n * c, keep(i, 0), map, key);
}

// dx, dy, mask; rate, seed, stream, step
template <class T>
void backward(Team& team, const Step& s, I i, DropoutMap map) {
  const auto [n, c] = shape(s, i, 0);
  if (i.buffers[2] != nullptr) return apply<T>(team, s, i, 1, 2, flyball::backward(map));
  flyball::dropout_forward<T>(team, at<T>(s, i, 0), {}, at<const T>(s, i, 1), n * c, keep(i, 0), flyball::backward(map),
                              random_key(s, i, 1));
}

// mask; rate, seed, stream, step
void dropout_mask(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 0);
  const Mask mask = {at<std::uint8_t>(s, i, 0), MaskLayout::bytes};
  flyball::dropout_mask(team, mask, n * c, keep(i, 0), random_key(s, i, 1));
}

// mask; rate, seed, stream, step, width, first
void dropout_mask_columns(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 0);
  const auto width = static_cast<Index>(integer(s, i, 4)), first = static_cast<Index>(integer(s, i, 5));
  flyball::dropout_mask_columns(team, at<std::uint8_t>(s, i, 0), n, c, width, first, keep(i, 0), random_key(s, i, 1));
}

// ...; ..., draw, scale
template <class T>
void dropout_forward(Team& team, const Step& s, I i) {
  forward<T>(team, s, i, {number(s, i, 5)});
}

// ...; ..., scale
template <class T>
void dropout_backward(Team& team, const Step& s, I i) {
  backward<T>(team, s, i, {number(s, i, 4)});
}

// y, x; rate
template <class T>
void dropout_inference(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 0);
  flyball::dropout_inference(team, at<T>(s, i, 0), at<const T>(s, i, 1), n * c, keep(i, 0));
}

template <class T>
void alpha_dropout_forward(Team& team, const Step& s, I i) {
  forward<T>(team, s, i, alpha_dropout_map(keep(i, 0)));
}

template <class T>
void alpha_dropout_backward(Team& team, const Step& s, I i) {
  backward<T>(team, s, i, alpha_dropout_map(keep(i, 0)));
}

// y, x, branch, mask; scale
template <class T>
void add_branch(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 0);
  flyball::add_branch(team, at<T>(s, i, 0), at<const T>(s, i, 1), at<const T>(s, i, 2), at<const std::uint8_t>(s, i, 3),
                      n, c, number(s, i, 0));
}

double first_dropout_cost(I i) { return dropout_cost(count(i, 0)); }
double first_array_cost(I i) { return elementwise_cost(count(i, 0)); }

constexpr Operation rows_of_table[] = {
    {"dropout_mask", 1, 4, 0, 1, 0, FLYBALL_ONE(dropout_mask), first_dropout_cost, nullptr},
    {"dropout_mask_columns", 1, 6, 0, 1, 0, FLYBALL_ONE(dropout_mask_columns), first_dropout_cost, nullptr},
    {"dropout_forward", 3, 6, 0, 2, 0, FLYBALL_BOTH(dropout_forward), first_dropout_cost, nullptr},
    {"dropout_backward", 3, 5, 0, 1, 0, FLYBALL_BOTH(dropout_backward), first_dropout_cost, nullptr},
    {"dropout_inference", 2, 1, 0, 1, 0, FLYBALL_BOTH(dropout_inference), first_array_cost, nullptr},
    {"add_branch", 4, 1, 0, 1, 0, FLYBALL_BOTH(add_branch), first_array_cost, nullptr},
    {"alpha_dropout_forward", 3, 5, 0, 2, 0, FLYBALL_BOTH(alpha_dropout_forward), first_dropout_cost, nullptr},
    {"alpha_dropout_backward", 3, 4, 0, 1, 0, FLYBALL_BOTH(alpha_dropout_backward), first_dropout_cost, nullptr},
};

}  // namespace

std::span<const Operation> dropout_operations() { return rows_of_table; }

}  // namespace flyball
