#include "program/operations/arguments.h"

namespace flyball {
namespace {

double first_array_cost(I i) { return elementwise_cost(count(i, 0)); }

template <class T>
void relu_backward(Team& team, const Step& s, I i) {
  flyball::relu_backward(team, at<T>(s, i, 0), at<const T>(s, i, 1), at<const T>(s, i, 2),
                         rows(s, i, 0) * columns(i, 0));
}

template <class T>
void relu_forward(Team& team, const Step& s, I i) {
  flyball::relu_forward(team, at<T>(s, i, 0), at<const T>(s, i, 1), rows(s, i, 0) * columns(i, 0));
}

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

constexpr Operation rows_of_table[] = {
    {"relu_forward", 2, 0, 0, 1, 0, FLYBALL_BOTH(relu_forward), first_array_cost, nullptr},
    {"relu_backward", 3, 0, 0, 1, 0, FLYBALL_BOTH(relu_backward), first_array_cost, nullptr},
    {"softmax_forward", 2, 0, 0, 1, 0, FLYBALL_BOTH(softmax_forward), first_softmax_cost, nullptr},
    {"softmax_backward", 3, 0, 0, 1, 0, FLYBALL_BOTH(softmax_backward), first_softmax_cost, nullptr},
};

}  // namespace

std::span<const Operation> activation_operations() { return rows_of_table; }

}  // namespace flyball
