// Layer, RMS and group normalisation.
#include <pybind11/stl.h>

#include "bind/arrays.h"
#include "bind/register.h"
#include "flyball/ops.h"

namespace flyball::bind {
namespace {

void bind_layer_norm_forward(const Array& y, const Array& mean, const Array& rstd, const Array& x,
                             const OptionalArray& gamma, const OptionalArray& beta, double epsilon) {
  require_ndim("x", x, 2);
  const Index n = size(x, 0);
  const Index c = size(x, 1);
  visit_float("x", x, [&]<class T>() {
    const T* x_data = in<T>("x", x, {n, c});
    const T* gamma_data = in<T>("gamma", gamma, {c});
    const T* beta_data = in<T>("beta", beta, {c});
    T* y_data = out<T>("y", y, {n, c});
    double* mean_data = out<double>("mean", mean, {n});
    double* rstd_data = out<double>("rstd", rstd, {n});
    refuse_overlap({{"y", y}, {"mean", mean}, {"rstd", rstd}}, {{"x", x}, {"gamma", gamma}, {"beta", beta}},
                   InPlace::yes);
    run(layer_norm_cost(n, c), 0, [=](Team& team) {
      layer_norm_forward(team, y_data, mean_data, rstd_data, x_data, gamma_data, beta_data, n, c, epsilon);
    });
  });
}

void bind_layer_norm_backward(const OptionalArray& dx, const OptionalArray& dgamma, const OptionalArray& dbeta,
                              const Array& dy, const Array& x, const OptionalArray& gamma, const Array& mean,
                              const Array& rstd) {
  require_ndim("x", x, 2);
  const Index n = size(x, 0);
  const Index c = size(x, 1);
  visit_float("x", x, [&]<class T>() {
    const T* x_data = in<T>("x", x, {n, c});
    const T* dy_data = in<T>("dy", dy, {n, c});
    const T* gamma_data = in<T>("gamma", gamma, {c});
    const double* mean_data = in<double>("mean", mean, {n});
    const double* rstd_data = in<double>("rstd", rstd, {n});
    T* dx_data = out<T>("dx", dx, {n, c});
    T* dgamma_data = out<T>("dgamma", dgamma, {c});
    T* dbeta_data = out<T>("dbeta", dbeta, {c});
    refuse_overlap({{"dx", dx}, {"dgamma", dgamma}, {"dbeta", dbeta}},
                   {{"dy", dy}, {"x", x}, {"gamma", gamma}, {"mean", mean}, {"rstd", rstd}}, InPlace::yes);
    run(layer_norm_cost(n, c), layer_norm_workspace(n, c), [=](Team& team) {
      layer_norm_backward(team, dx_data, dgamma_data, dbeta_data, dy_data, x_data, gamma_data, mean_data, rstd_data, n,
                          c);
    });
  });
}

void bind_rms_norm_forward(const Array& y, const Array& rstd, const Array& x, const OptionalArray& gamma,
                           double epsilon) {
  require_ndim("x", x, 2);
  const Index n = size(x, 0);
  const Index c = size(x, 1);
  visit_float("x", x, [&]<class T>() {
    const T* x_data = in<T>("x", x, {n, c});
    const T* gamma_data = in<T>("gamma", gamma, {c});
    T* y_data = out<T>("y", y, {n, c});
    double* rstd_data = out<double>("rstd", rstd, {n});
    refuse_overlap({{"y", y}, {"rstd", rstd}}, {{"x", x}, {"gamma", gamma}}, InPlace::yes);
    run(layer_norm_cost(n, c), 0, [=](Team& team) {
      layer_norm_forward<T>(team, y_data, nullptr, rstd_data, x_data, gamma_data, nullptr, n, c, epsilon);
    });
  });
}

void bind_rms_norm_backward(const OptionalArray& dx, const OptionalArray& dgamma, const Array& dy, const Array& x,
                            const OptionalArray& gamma, const Array& rstd) {
  require_ndim("x", x, 2);
  const Index n = size(x, 0);
  const Index c = size(x, 1);
  visit_float("x", x, [&]<class T>() {
    const T* x_data = in<T>("x", x, {n, c});
    const T* dy_data = in<T>("dy", dy, {n, c});
    const T* gamma_data = in<T>("gamma", gamma, {c});
    const double* rstd_data = in<double>("rstd", rstd, {n});
    T* dx_data = out<T>("dx", dx, {n, c});
    T* dgamma_data = out<T>("dgamma", dgamma, {c});
    refuse_overlap({{"dx", dx}, {"dgamma", dgamma}}, {{"dy", dy}, {"x", x}, {"gamma", gamma}, {"rstd", rstd}},
                   InPlace::yes);
    run(layer_norm_cost(n, c), layer_norm_workspace(n, c), [=](Team& team) {
      layer_norm_backward<T>(team, dx_data, dgamma_data, nullptr, dy_data, x_data, gamma_data, nullptr, rstd_data, n,
                             c);
    });
  });
}

// Sizes of (n, c, s), or (n, s, c), with statistics (n, g).
struct GroupSizes {
  GroupSizes(const Array& x, const Array& mean, bool channels_last)
      : n(size(x, 0)), c(size(x, channels_last ? 2 : 1)), s(size(x, channels_last ? 1 : 2)), g(size(mean, 1)) {
    if (g > 0 && c >= g && c % g == 0) return;
    throw py::value_error("mean must have shape (N, G) with G a divisor of the " + std::to_string(c) +
                          " channels of x, got shape " + text_of(Shape(mean)));
  }
  double cost() const { return group_norm_cost(n, c, s); }
  std::size_t workspace() const { return group_norm_workspace(n, c, s, g); }

  Index n, c, s, g;
};

void bind_group_norm_forward(const Array& y, const Array& mean, const Array& rstd, const Array& x,
                             const OptionalArray& gamma, const OptionalArray& beta, bool channels_last,
                             double epsilon) {
  require_ndim("x", x, 3);
  require_ndim("mean", mean, 2);
  const GroupSizes sizes(x, mean, channels_last);
  const Shape shape(x);
  visit_float("x", x, [&]<class T>() {
    const T* x_data = in<T>("x", x, shape);
    const T* gamma_data = in<T>("gamma", gamma, {sizes.c});
    const T* beta_data = in<T>("beta", beta, {sizes.c});
    T* y_data = out<T>("y", y, shape);
    double* mean_data = out<double>("mean", mean, {sizes.n, sizes.g});
    double* rstd_data = out<double>("rstd", rstd, {sizes.n, sizes.g});
    refuse_overlap({{"y", y}, {"mean", mean}, {"rstd", rstd}}, {{"x", x}, {"gamma", gamma}, {"beta", beta}},
                   InPlace::yes);
    run(sizes.cost(), sizes.workspace(), [=](Team& team) {
      group_norm_forward(team, y_data, mean_data, rstd_data, x_data, gamma_data, beta_data, sizes.n, sizes.c, sizes.s,
                         sizes.g, channels_last, epsilon);
    });
  });
}

void bind_group_norm_backward(const OptionalArray& dx, const OptionalArray& dgamma, const OptionalArray& dbeta,
                              const Array& dy, const Array& x, const OptionalArray& gamma, const Array& mean,
                              const Array& rstd, bool channels_last) {
  require_ndim("x", x, 3);
  require_ndim("mean", mean, 2);
  const GroupSizes sizes(x, mean, channels_last);
  const Shape shape(x);
  visit_float("x", x, [&]<class T>() {
    const T* x_data = in<T>("x", x, shape);
    const T* dy_data = in<T>("dy", dy, shape);
    const T* gamma_data = in<T>("gamma", gamma, {sizes.c});
    const double* mean_data = in<double>("mean", mean, {sizes.n, sizes.g});
    const double* rstd_data = in<double>("rstd", rstd, {sizes.n, sizes.g});
    T* dx_data = out<T>("dx", dx, shape);
    T* dgamma_data = out<T>("dgamma", dgamma, {sizes.c});
    T* dbeta_data = out<T>("dbeta", dbeta, {sizes.c});
    refuse_overlap({{"dx", dx}, {"dgamma", dgamma}, {"dbeta", dbeta}},
                   {{"dy", dy}, {"x", x}, {"gamma", gamma}, {"mean", mean}, {"rstd", rstd}}, InPlace::yes);
    run(sizes.cost(), sizes.workspace(), [=](Team& team) {
      group_norm_backward(team, dx_data, dgamma_data, dbeta_data, dy_data, x_data, gamma_data, mean_data, rstd_data,
                          sizes.n, sizes.c, sizes.s, sizes.g, channels_last);
    });
  });
}

}  // namespace

void register_layer_norm(py::module_& module) {
  module.def("layer_norm_forward", bind_layer_norm_forward, py::arg("y"), py::arg("mean"), py::arg("rstd"),
             py::arg("x"), py::arg("gamma").none(true), py::arg("beta").none(true), py::arg("epsilon"));
  module.def("layer_norm_backward", bind_layer_norm_backward, py::arg("dx").none(true), py::arg("dgamma").none(true),
             py::arg("dbeta").none(true), py::arg("dy"), py::arg("x"), py::arg("gamma").none(true), py::arg("mean"),
             py::arg("rstd"));
  module.def("rms_norm_forward", bind_rms_norm_forward, py::arg("y"), py::arg("rstd"), py::arg("x"),
             py::arg("gamma").none(true), py::arg("epsilon"));
  module.def("rms_norm_backward", bind_rms_norm_backward, py::arg("dx").none(true), py::arg("dgamma").none(true),
             py::arg("dy"), py::arg("x"), py::arg("gamma").none(true), py::arg("rstd"));
  module.def("group_norm_forward", bind_group_norm_forward, py::arg("y"), py::arg("mean"), py::arg("rstd"),
             py::arg("x"), py::arg("gamma").none(true), py::arg("beta").none(true), py::arg("channels_last"),
             py::arg("epsilon"));
  module.def("group_norm_backward", bind_group_norm_backward, py::arg("dx").none(true), py::arg("dgamma").none(true),
             py::arg("dbeta").none(true), py::arg("dy"), py::arg("x"), py::arg("gamma").none(true), py::arg("mean"),
             py::arg("rstd"), py::arg("channels_last"));
}

}  // namespace flyball::bind
