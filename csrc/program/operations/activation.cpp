#include "program/operations/arguments.h"

namespace flyball {
namespace {

// y, x; alpha; activation
template <class T>
void activation_forward(Team& team, const Step& s, I i) {
  flyball::activation_forward(team, at<T>(s, i, 0), at<const T>(s, i, 1), rows(s, i, 0) * columns(i, 0),
                              {i.activations[0], number(s, i, 0)});
}

// dx, dy, x, y; alpha; activation
template <class T>
void activation_backward(Team& team, const Step& s, I i) {
  flyball::activation_backward(team, at<T>(s, i, 0), at<const T>(s, i, 1), at<const T>(s, i, 2), at<const T>(s, i, 3),
                               rows(s, i, 0) * columns(i, 0), {i.activations[0], number(s, i, 0)});
}

ReluParams relu_params(const Step& s, I i) { return {number(s, i, 0), number(s, i, 1), number(s, i, 2)}; }

// y, x; negative_slope, threshold, max_value
template <class T>
void relu_forward(Team& team, const Step& s, I i) {
  flyball::relu_forward(team, at<T>(s, i, 0), at<const T>(s, i, 1), rows(s, i, 0) * columns(i, 0), relu_params(s, i));
}

// dx, dy, x; negative_slope, threshold, max_value
template <class T>
void relu_backward(Team& team, const Step& s, I i) {
  flyball::relu_backward(team, at<T>(s, i, 0), at<const T>(s, i, 1), at<const T>(s, i, 2),
                         rows(s, i, 0) * columns(i, 0), relu_params(s, i));
}

// y, x, alpha
template <class T>
void prelu_forward(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 1);
  flyball::prelu_forward(team, at<T>(s, i, 0), at<const T>(s, i, 1), at<const T>(s, i, 2), n, c);
}

// dx, dalpha, dy, x, alpha
template <class T>
void prelu_backward(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 2);
  flyball::prelu_backward(team, at<T>(s, i, 0), at<T>(s, i, 1), at<const T>(s, i, 2), at<const T>(s, i, 3),
                          at<const T>(s, i, 4), n, c);
}

double first_relu_cost(I i) { return elementwise_cost(count(i, 0)); }
double prelu_backward_cost(I i) { return 2.0 * elementwise_cost(count(i, 2)); }
std::size_t prelu_backward_workspace(I i) { return prelu_workspace(i.buffers[2]->most_rows, columns(i, 2)); }

double first_array_cost(I i) { return activation_cost(i.activations[0], count(i, 0)); }

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

// y, x
template <class T>
void log_softmax_forward(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 0);
  flyball::log_softmax_forward(team, at<T>(s, i, 0), at<const T>(s, i, 1), n, c);
}

// dx, dy, y
template <class T>
void log_softmax_backward(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 0);
  flyball::log_softmax_backward(team, at<T>(s, i, 0), at<const T>(s, i, 1), at<const T>(s, i, 2), n, c);
}

// total, x; l1, l2
template <class T>
void activity_penalty(Team& team, const Step& s, I i) {
  flyball::activity_penalty(team, at<double>(s, i, 0), at<const T>(s, i, 1), rows(s, i, 1) * columns(i, 1),
                            number(s, i, 0), number(s, i, 1));
}

// dx, dy, x; l1, l2, scale
template <class T>
void activity_penalty_backward(Team& team, const Step& s, I i) {
  const double scale = number(s, i, 2);
  flyball::activity_penalty_backward(team, at<T>(s, i, 0), at<const T>(s, i, 1), at<const T>(s, i, 2),
                                     rows(s, i, 1) * columns(i, 1), scale * number(s, i, 0), scale * number(s, i, 1));
}

double penalty_cost(I i) { return elementwise_cost(count(i, 1)); }
std::size_t penalty_workspace(I i) { return activity_penalty_workspace(count(i, 1)); }

double first_softmax_cost(I i) { return softmax_cost(i.buffers[0]->most_rows, columns(i, 0)); }

constexpr Operation rows_of_table[] = {
    {"activation_forward", 2, 1, 1, 1, 0, FLYBALL_BOTH(activation_forward), first_array_cost, nullptr},
    {"activation_backward", 4, 1, 1, 1, 0, FLYBALL_BOTH(activation_backward), first_array_cost, nullptr},
    {"relu_forward", 2, 3, 0, 1, 0, FLYBALL_BOTH(relu_forward), first_relu_cost, nullptr},
    {"relu_backward", 3, 3, 0, 1, 0, FLYBALL_BOTH(relu_backward), first_relu_cost, nullptr},
    {"prelu_forward", 3, 0, 0, 1, 0, FLYBALL_BOTH(prelu_forward), first_relu_cost, nullptr},
    {"prelu_backward", 5, 0, 0, 2, 2, FLYBALL_BOTH(prelu_backward), prelu_backward_cost, prelu_backward_workspace},
    {"softmax_forward", 2, 0, 0, 1, 0, FLYBALL_BOTH(softmax_forward), first_softmax_cost, nullptr},
    {"softmax_backward", 3, 0, 0, 1, 0, FLYBALL_BOTH(softmax_backward), first_softmax_cost, nullptr},
    {"log_softmax_forward", 2, 0, 0, 1, 0, FLYBALL_BOTH(log_softmax_forward), first_softmax_cost, nullptr},
    {"log_softmax_backward", 3, 0, 0, 1, 0, FLYBALL_BOTH(log_softmax_backward), first_softmax_cost, nullptr},
    {"activity_penalty", 2, 2, 0, 1, 1, FLYBALL_BOTH(activity_penalty), penalty_cost, penalty_workspace},
    {"activity_penalty_backward", 3, 3, 0, 1, 0, FLYBALL_BOTH(activity_penalty_backward), penalty_cost, nullptr},
};

}  // namespace

std::span<const Operation> activation_operations() { return rows_of_table; }

}  // namespace flyball
