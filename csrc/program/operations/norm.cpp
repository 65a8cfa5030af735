#include "program/operations/arguments.h"

namespace flyball {
namespace {

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

constexpr Operation rows_of_table[] = {
    {"batch_norm_forward", 9, 4, 1, 5, 0, FLYBALL_BOTH(batch_norm_forward), batch_norm_forward_cost,
     batch_norm_forward_workspace},
    {"batch_norm_backward", 11, 1, 1, 3, 3, FLYBALL_BOTH(batch_norm_backward), batch_norm_backward_cost,
     batch_norm_backward_workspace},
    {"batch_norm_inference", 6, 1, 1, 1, 0, FLYBALL_BOTH(batch_norm_inference), batch_norm_forward_cost, nullptr},
};

}  // namespace

std::span<const Operation> norm_operations() { return rows_of_table; }

}  // namespace flyball
