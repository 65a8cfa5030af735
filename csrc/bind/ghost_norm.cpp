#include <pybind11/stl.h>

#include "bind/norm.h"
#include "bind/register.h"

namespace flyball::bind {
namespace {

// The shape of mean and rstd: a row, or more than that, for each group.
Shape shape_of_statistics(const Array& mean, const Sizes& sizes, Index group) {
  if (group < 1) throw py::value_error("group must be at least 1, got " + std::to_string(group));
  require_ndim("mean", mean, 2);
  const Index groups = ghost_groups(sizes.n, group);
  if (size(mean, 0) < groups) {
    throw py::value_error("mean must have a row for each of " + std::to_string(groups) + " groups, got " +
                          std::to_string(size(mean, 0)));
  }
  return {size(mean, 0), sizes.c};
}

void bind_forward(const Array& y, const Array& mean, const Array& rstd, const OptionalArray& running_mean,
                  const OptionalArray& running_var, const Array& x, const OptionalArray& gamma,
                  const OptionalArray& beta, const OptionalArray& mask, Index group, double momentum, double epsilon,
                  bool unbiased, const std::string& activation_name, double rate) {
  require_ndim("x", x, 2, 3);
  const Sizes sizes(x);
  const Shape statistics = shape_of_statistics(mean, sizes, group);
  const BatchNormParams params{momentum, epsilon, unbiased, rectifier(activation_name)};
  const Shape shape(x);
  const Shape channels = {sizes.c};
  visit_float("x", x, [&]<class T>() {
    const T* x_data = in<T>("x", x, shape);
    const T* gamma_data = in<T>("gamma", gamma, channels);
    const T* beta_data = in<T>("beta", beta, channels);
    const std::uint8_t* mask_data = bytes(in<bool>("mask", mask, shape));
    T* y_data = out<T>("y", y, shape);
    double* mean_data = out<double>("mean", mean, statistics);
    double* rstd_data = out<double>("rstd", rstd, statistics);
    T* running_mean_data = out<T>("running_mean", running_mean, channels);
    T* running_var_data = out<T>("running_var", running_var, channels);
    refuse_overlap(
        {{"y", y}, {"mean", mean}, {"rstd", rstd}, {"running_mean", running_mean}, {"running_var", running_var}},
        {{"x", x}, {"gamma", gamma}, {"beta", beta}, {"mask", mask}}, InPlace::yes);
    run(sizes.cost(), ghost_batch_norm_workspace(sizes.n, sizes.c, sizes.s, group), [=](Team& team) {
      ghost_batch_norm_forward(team, y_data, mean_data, rstd_data, running_mean_data, running_var_data, x_data,
                               gamma_data, beta_data, mask_data, sizes.n, sizes.c, sizes.s, group, params,
                               keep_at(rate));
    });
  });
}

void bind_backward(const OptionalArray& dx, const OptionalArray& dgamma, const OptionalArray& dbeta, const Array& dy,
                   const Array& x, const OptionalArray& gamma, const OptionalArray& beta, const Array& mean,
                   const Array& rstd, const OptionalArray& mask, Index group, const std::string& activation_name,
                   double rate) {
  require_ndim("x", x, 2, 3);
  const Sizes sizes(x);
  const Shape statistics = shape_of_statistics(mean, sizes, group);
  const Activation activation_code = rectifier(activation_name);
  const Shape shape(x);
  const Shape channels = {sizes.c};
  visit_float("x", x, [&]<class T>() {
    const T* x_data = in<T>("x", x, shape);
    const T* dy_data = in<T>("dy", dy, shape);
    const T* gamma_data = in<T>("gamma", gamma, channels);
    const T* beta_data = in<T>("beta", beta, channels);
    const std::uint8_t* mask_data = bytes(in<bool>("mask", mask, shape));
    const double* mean_data = in<double>("mean", mean, statistics);
    const double* rstd_data = in<double>("rstd", rstd, statistics);
    T* dx_data = out<T>("dx", dx, shape);
    T* dgamma_data = out<T>("dgamma", dgamma, channels);
    T* dbeta_data = out<T>("dbeta", dbeta, channels);
    refuse_overlap(
        {{"dx", dx}, {"dgamma", dgamma}, {"dbeta", dbeta}},
        {{"dy", dy}, {"x", x}, {"gamma", gamma}, {"beta", beta}, {"mean", mean}, {"rstd", rstd}, {"mask", mask}},
        InPlace::yes);
    run(sizes.cost(), ghost_batch_norm_workspace(sizes.n, sizes.c, sizes.s, group), [=](Team& team) {
      ghost_batch_norm_backward(team, dx_data, dgamma_data, dbeta_data, dy_data, x_data, gamma_data, beta_data,
                                mean_data, rstd_data, mask_data, sizes.n, sizes.c, sizes.s, group, activation_code,
                                keep_at(rate));
    });
  });
}

}  // namespace

void register_ghost_norm(py::module_& module) {
  module.def("ghost_batch_norm_forward", bind_forward, py::arg("y"), py::arg("mean"), py::arg("rstd"),
             py::arg("running_mean").none(true), py::arg("running_var").none(true), py::arg("x"),
             py::arg("gamma").none(true), py::arg("beta").none(true), py::arg("mask").none(true), py::arg("group"),
             py::arg("momentum"), py::arg("epsilon"), py::arg("unbiased"), py::arg("activation"), py::arg("rate"));
  module.def("ghost_batch_norm_backward", bind_backward, py::arg("dx").none(true), py::arg("dgamma").none(true),
             py::arg("dbeta").none(true), py::arg("dy"), py::arg("x"), py::arg("gamma").none(true),
             py::arg("beta").none(true), py::arg("mean"), py::arg("rstd"), py::arg("mask").none(true), py::arg("group"),
             py::arg("activation"), py::arg("rate"));
}

}  // namespace flyball::bind
