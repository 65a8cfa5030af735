#include "program/operations/arguments.h"

namespace flyball {
namespace {

// In each: w, the state, penalty, g, gradient_scale; the step's own scalars, then those of penalty().

std::int64_t step_at(const Step& s, I i, std::size_t k) { return static_cast<std::int64_t>(integer(s, i, k)); }

// velocity; learning_rate, momentum, nesterov
template <class T>
void sgd_update(Team& team, const Step& s, I i) {
  const SgdParams params = {number(s, i, 0), number(s, i, 1), number(s, i, 2) != 0, penalty(s, i, 3)};
  flyball::sgd_update(team, at<T>(s, i, 0), at<T>(s, i, 1), at<double>(s, i, 2), at<const T>(s, i, 3),
                      at<const double>(s, i, 4), count(i, 0), params);
}

// m, v, v_max; learning_rate, beta_1, beta_2, epsilon, step, nesterov
template <class T>
void adam_update(Team& team, const Step& s, I i) {
  const AdamParams params = {number(s, i, 0),  number(s, i, 1),      number(s, i, 2), number(s, i, 3),
                             step_at(s, i, 4), number(s, i, 5) != 0, penalty(s, i, 6)};
  flyball::adam_update(team, at<T>(s, i, 0), at<T>(s, i, 1), at<T>(s, i, 2), at<T>(s, i, 3), at<double>(s, i, 4),
                       at<const T>(s, i, 5), at<const double>(s, i, 6), count(i, 0), params);
}

// v, m, velocity; learning_rate, rho, momentum, epsilon, epsilon_inside
template <class T>
void rmsprop_update(Team& team, const Step& s, I i) {
  const RmsParams params = {number(s, i, 0), number(s, i, 1),      1.0 - number(s, i, 1), number(s, i, 2),
                            number(s, i, 3), number(s, i, 4) != 0, penalty(s, i, 5)};
  flyball::rmsprop_update(team, at<T>(s, i, 0), at<T>(s, i, 1), at<T>(s, i, 2), at<T>(s, i, 3), at<double>(s, i, 4),
                          at<const T>(s, i, 5), at<const double>(s, i, 6), count(i, 0), params);
}

// v; learning_rate, epsilon, epsilon_inside
template <class T>
void adagrad_update(Team& team, const Step& s, I i) {
  const RmsParams params = {number(s, i, 0), 1.0, 1.0, 0.0, number(s, i, 1), number(s, i, 2) != 0, penalty(s, i, 3)};
  flyball::rmsprop_update<T>(team, at<T>(s, i, 0), at<T>(s, i, 1), nullptr, nullptr, at<double>(s, i, 2),
                             at<const T>(s, i, 3), at<const double>(s, i, 4), count(i, 0), params);
}

// m, u; learning_rate, beta_1, beta_2, epsilon, step
template <class T>
void adamax_update(Team& team, const Step& s, I i) {
  const AdamaxParams params = {number(s, i, 0), number(s, i, 1),  number(s, i, 2),
                               number(s, i, 3), step_at(s, i, 4), penalty(s, i, 5)};
  flyball::adamax_update(team, at<T>(s, i, 0), at<T>(s, i, 1), at<T>(s, i, 2), at<double>(s, i, 3),
                         at<const T>(s, i, 4), at<const double>(s, i, 5), count(i, 0), params);
}

// v, d; learning_rate, rho, epsilon
template <class T>
void adadelta_update(Team& team, const Step& s, I i) {
  const AdadeltaParams params = {number(s, i, 0), number(s, i, 1), number(s, i, 2), penalty(s, i, 3)};
  flyball::adadelta_update(team, at<T>(s, i, 0), at<T>(s, i, 1), at<T>(s, i, 2), at<double>(s, i, 3),
                           at<const T>(s, i, 4), at<const double>(s, i, 5), count(i, 0), params);
}

// m; learning_rate, beta_1, beta_2
template <class T>
void lion_update(Team& team, const Step& s, I i) {
  const LionParams params = {number(s, i, 0), number(s, i, 1), number(s, i, 2), penalty(s, i, 3)};
  flyball::lion_update(team, at<T>(s, i, 0), at<T>(s, i, 1), at<double>(s, i, 2), at<const T>(s, i, 3),
                       at<const double>(s, i, 4), count(i, 0), params);
}

double first_update_cost(I i) { return update_cost(count(i, 0)); }
// Where there is no penalty nothing of it is used; the array stands in another place in each row.
std::size_t first_update_workspace(I i) {
  return i.buffers[i.outputs - 1] == nullptr ? 0 : update_workspace(count(i, 0));
}

constexpr Operation rows_of_table[] = {
    {"sgd_update", 5, 9, 0, 3, 0, FLYBALL_BOTH(sgd_update), first_update_cost, first_update_workspace},
    {"adam_update", 7, 12, 0, 5, 0, FLYBALL_BOTH(adam_update), first_update_cost, first_update_workspace},
    {"rmsprop_update", 7, 11, 0, 5, 0, FLYBALL_BOTH(rmsprop_update), first_update_cost, first_update_workspace},
    {"adagrad_update", 5, 9, 0, 3, 0, FLYBALL_BOTH(adagrad_update), first_update_cost, first_update_workspace},
    {"adamax_update", 6, 11, 0, 4, 0, FLYBALL_BOTH(adamax_update), first_update_cost, first_update_workspace},
    {"adadelta_update", 6, 9, 0, 4, 0, FLYBALL_BOTH(adadelta_update), first_update_cost, first_update_workspace},
    {"lion_update", 5, 9, 0, 3, 0, FLYBALL_BOTH(lion_update), first_update_cost, first_update_workspace},
};

}  // namespace

std::span<const Operation> update_operations() { return rows_of_table; }

}  // namespace flyball
