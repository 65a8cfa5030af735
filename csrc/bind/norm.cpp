#include "bind/norm.h"

#include <pybind11/stl.h>

#include "bind/register.h"

namespace flyball::bind {
namespace {

void bind_batch_norm_forward(const Array& y, const Array& mean, const Array& rstd, const OptionalArray& running_mean,
                             const OptionalArray& running_var, const Array& x, const OptionalArray& gamma,
                             const OptionalArray& beta, const OptionalArray& mask, double momentum, double epsilon,
                             bool unbiased, const std::string& activation_name, double rate) {
  require_ndim("x", x, 2, 3);
  const BatchNormParams params{momentum, epsilon, unbiased, rectifier(activation_name)};
  const Sizes sizes(x);
  const Shape shape(x);
  const Shape channels = {sizes.c};
  visit_float("x", x, [&]<class T>() {
    const T* x_data = in<T>("x", x, shape);
    const T* gamma_data = in<T>("gamma", gamma, channels);
    const T* beta_data = in<T>("beta", beta, channels);
    const std::uint8_t* mask_data = bytes(in<bool>("mask", mask, shape));
    T* y_data = out<T>("y", y, shape);
    double* mean_data = out<double>("mean", mean, channels);
    double* rstd_data = out<double>("rstd", rstd, channels);
    T* running_mean_data = out<T>("running_mean", running_mean, channels);
    T* running_var_data = out<T>("running_var", running_var, channels);
    refuse_overlap(
        {{"y", y}, {"mean", mean}, {"rstd", rstd}, {"running_mean", running_mean}, {"running_var", running_var}},
        {{"x", x}, {"gamma", gamma}, {"beta", beta}, {"mask", mask}}, InPlace::yes);
    run(sizes.cost(), sizes.workspace(), [=](Team& team) {
      batch_norm_forward(team, y_data, mean_data, rstd_data, running_mean_data, running_var_data, x_data, gamma_data,
                         beta_data, mask_data, sizes.n, sizes.c, sizes.s, params, keep_at(rate));
    });
  });
}

void bind_batch_norm_backward(const OptionalArray& dx, const OptionalArray& dgamma, const OptionalArray& dbeta,
                              const Array& dy, const Array& x, const OptionalArray& gamma, const OptionalArray& beta,
                              const Array& mean, const Array& rstd, const OptionalArray& mask,
                              const std::string& activation_name, double rate) {
  require_ndim("x", x, 2, 3);
  const Activation activation_code = rectifier(activation_name);
  const Sizes sizes(x);
  const Shape shape(x);
  const Shape channels = {sizes.c};
  visit_float("x", x, [&]<class T>() {
    const T* x_data = in<T>("x", x, shape);
    const T* dy_data = in<T>("dy", dy, shape);
    const T* gamma_data = in<T>("gamma", gamma, channels);
    const T* beta_data = in<T>("beta", beta, channels);
    const double* mean_data = in<double>("mean", mean, channels);
    const double* rstd_data = in<double>("rstd", rstd, channels);
    const std::uint8_t* mask_data = bytes(in<bool>("mask", mask, shape));
    const bool apart = dx && x.ndim() == 2;
    const Rows<T> dx_rows =
        apart ? out_rows<T>("dx", *dx, sizes.n, sizes.c) : Rows<T>{out<T>("dx", dx, shape), sizes.c};
    T* dgamma_data = out<T>("dgamma", dgamma, channels);
    T* dbeta_data = out<T>("dbeta", dbeta, channels);
    refuse_overlap(
        {{"dx", dx}, {"dgamma", dgamma}, {"dbeta", dbeta}},
        {{"dy", dy}, {"x", x}, {"gamma", gamma}, {"beta", beta}, {"mean", mean}, {"rstd", rstd}, {"mask", mask}},
        InPlace::yes);
    run(sizes.cost(), sizes.workspace(), [=](Team& team) {
      batch_norm_backward(team, dx_rows.data, dx_rows.stride, dgamma_data, dbeta_data, dy_data, x_data, gamma_data,
                          beta_data, mean_data, rstd_data, mask_data, sizes.n, sizes.c, sizes.s, activation_code,
                          keep_at(rate));
    });
  });
}

void bind_batch_norm_inference(const Array& y, const Array& x, const OptionalArray& gamma, const OptionalArray& beta,
                               const Array& running_mean, const Array& running_var, double epsilon,
                               const std::string& activation_name) {
  require_ndim("x", x, 2, 3);
  const Activation activation_code = rectifier(activation_name);
  const Sizes sizes(x);
  const Shape shape(x);
  const Shape channels = {sizes.c};
  visit_float("x", x, [&]<class T>() {
    const T* x_data = in<T>("x", x, shape);
    const T* gamma_data = in<T>("gamma", gamma, channels);
    const T* beta_data = in<T>("beta", beta, channels);
    const T* mean_data = in<T>("running_mean", running_mean, channels);
    const T* var_data = in<T>("running_var", running_var, channels);
    T* y_data = out<T>("y", y, shape);
    refuse_overlap(
        {{"y", y}},
        {{"x", x}, {"gamma", gamma}, {"beta", beta}, {"running_mean", running_mean}, {"running_var", running_var}},
        InPlace::yes);
    run(sizes.cost(), 0, [=](Team& team) {
      batch_norm_inference(team, y_data, x_data, gamma_data, beta_data, mean_data, var_data, sizes.n, sizes.c, sizes.s,
                           epsilon, activation_code);
    });
  });
}

}  // namespace

void register_norm(py::module_& module) {
  module.def("batch_norm_forward", bind_batch_norm_forward, py::arg("y"), py::arg("mean"), py::arg("rstd"),
             py::arg("running_mean").none(true), py::arg("running_var").none(true), py::arg("x"),
             py::arg("gamma").none(true), py::arg("beta").none(true), py::arg("mask").none(true), py::arg("momentum"),
             py::arg("epsilon"), py::arg("unbiased"), py::arg("activation"), py::arg("rate"));
  module.def("batch_norm_backward", bind_batch_norm_backward, py::arg("dx").none(true), py::arg("dgamma").none(true),
             py::arg("dbeta").none(true), py::arg("dy"), py::arg("x"), py::arg("gamma").none(true),
             py::arg("beta").none(true), py::arg("mean"), py::arg("rstd"), py::arg("mask").none(true),
             py::arg("activation"), py::arg("rate"));
  module.def("batch_norm_inference", bind_batch_norm_inference, py::arg("y"), py::arg("x"), py::arg("gamma").none(true),
             py::arg("beta").none(true), py::arg("running_mean"), py::arg("running_var"), py::arg("epsilon"),
             py::arg("activation"));
}

}  // namespace flyball::bind
