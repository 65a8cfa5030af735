#include "program/operations/arguments.h"

namespace flyball {
namespace {

// y, x; std, seed, stream, step
template <class T>
void gaussian_noise_forward(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 0);
  flyball::gaussian_noise_forward(team, at<T>(s, i, 0), at<const T>(s, i, 1), n * c, number(s, i, 0),
                                  random_key(s, i, 1));
}

// y, x or dx, dy; rate, seed, stream, step
template <class T>
void gaussian_dropout(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 0);
  flyball::gaussian_dropout(team, at<T>(s, i, 0), at<const T>(s, i, 1), n * c, gaussian_dropout_std(number(s, i, 0)),
                            random_key(s, i, 1));
}

double first_random_cost(I i) { return random_cost(count(i, 0)); }

constexpr Operation rows_of_table[] = {
    {"gaussian_noise_forward", 2, 4, 0, 1, 0, FLYBALL_BOTH(gaussian_noise_forward), first_random_cost, nullptr},
    {"gaussian_dropout_forward", 2, 4, 0, 1, 0, FLYBALL_BOTH(gaussian_dropout), first_random_cost, nullptr},
    {"gaussian_dropout_backward", 2, 4, 0, 1, 0, FLYBALL_BOTH(gaussian_dropout), first_random_cost, nullptr},
};

}  // namespace

std::span<const Operation> random_operations() { return rows_of_table; }

}  // namespace flyball
