#include <pybind11/stl.h>

#include "bind/arrays.h"
#include "bind/register.h"
#include "flyball/ops.h"

namespace flyball::bind {
namespace {

void bind_activation_forward(const Array& y, const Array& x, const std::string& activation_name, double alpha) {
  const ActivationParams params{activation(activation_name), alpha};
  visit_float("x", x, [&]<class T>() {
    const Shape shape(x);
    const T* x_data = in<T>("x", x, shape);
    T* y_data = out<T>("y", y, shape);
    refuse_overlap({{"y", y}}, {{"x", x}}, InPlace::yes);
    const Index count = x.size();
    run(activation_cost(params.kind, count), 0,
        [=](Team& team) { activation_forward(team, y_data, x_data, count, params); });
  });
}

void bind_activation_backward(const Array& dx, const Array& dy, const OptionalArray& x, const OptionalArray& y,
                              const std::string& activation_name, double alpha) {
  const ActivationParams params{activation(activation_name), alpha};
  const auto require = [&](DerivativeOf needed, const char* name, const OptionalArray& array) {
    if (derivative_of(params.kind) == needed && !array) {
      throw py::value_error(std::string(name) + " must be given for the derivative of " + activation_name +
                            ", got None");
    }
  };
  require(DerivativeOf::input, "x", x);
  require(DerivativeOf::output, "y", y);
  visit_float("dy", dy, [&]<class T>() {
    const Shape shape(dy);
    const T* dy_data = in<T>("dy", dy, shape);
    const T* x_data = in<T>("x", x, shape);
    const T* y_data = in<T>("y", y, shape);
    T* dx_data = out<T>("dx", dx, shape);
    refuse_overlap({{"dx", dx}}, {{"dy", dy}, {"x", x}, {"y", y}}, InPlace::yes);
    const Index count = dy.size();
    run(activation_cost(params.kind, count), 0,
        [=](Team& team) { activation_backward(team, dx_data, dy_data, x_data, y_data, count, params); });
  });
}

void bind_relu_forward(const Array& y, const Array& x, double negative_slope, double threshold, double max_value) {
  const ReluParams params{negative_slope, threshold, max_value};
  visit_float("x", x, [&]<class T>() {
    const Shape shape(x);
    const T* x_data = in<T>("x", x, shape);
    T* y_data = out<T>("y", y, shape);
    refuse_overlap({{"y", y}}, {{"x", x}}, InPlace::yes);
    const Index count = x.size();
    run(elementwise_cost(count), 0, [=](Team& team) { relu_forward(team, y_data, x_data, count, params); });
  });
}

void bind_relu_backward(const Array& dx, const Array& dy, const Array& x, double negative_slope, double threshold,
                        double max_value) {
  const ReluParams params{negative_slope, threshold, max_value};
  visit_float("dy", dy, [&]<class T>() {
    const Shape shape(dy);
    const T* dy_data = in<T>("dy", dy, shape);
    const T* x_data = in<T>("x", x, shape);
    T* dx_data = out<T>("dx", dx, shape);
    refuse_overlap({{"dx", dx}}, {{"dy", dy}, {"x", x}}, InPlace::yes);
    const Index count = dy.size();
    run(elementwise_cost(count), 0, [=](Team& team) { relu_backward(team, dx_data, dy_data, x_data, count, params); });
  });
}

void bind_prelu_forward(const Array& y, const Array& x, const Array& alpha) {
  require_ndim("x", x, 2);
  visit_float("x", x, [&]<class T>() {
    const Index n = size(x, 0);
    const Index c = size(x, 1);
    const T* x_data = in<T>("x", x, {n, c});
    const T* alpha_data = in<T>("alpha", alpha, {c});
    T* y_data = out<T>("y", y, {n, c});
    refuse_overlap({{"y", y}}, {{"x", x}, {"alpha", alpha}}, InPlace::yes);
    run(elementwise_cost(n * c), 0, [=](Team& team) { prelu_forward(team, y_data, x_data, alpha_data, n, c); });
  });
}

void bind_prelu_backward(const OptionalArray& dx, const OptionalArray& dalpha, const Array& dy, const Array& x,
                         const Array& alpha) {
  require_ndim("dy", dy, 2);
  visit_float("dy", dy, [&]<class T>() {
    const Index n = size(dy, 0);
    const Index c = size(dy, 1);
    const T* dy_data = in<T>("dy", dy, {n, c});
    const T* x_data = in<T>("x", x, {n, c});
    const T* alpha_data = in<T>("alpha", alpha, {c});
    T* dx_data = out<T>("dx", dx, {n, c});
    T* dalpha_data = out<T>("dalpha", dalpha, {c});
    refuse_overlap({{"dx", dx}, {"dalpha", dalpha}}, {{"dy", dy}, {"x", x}, {"alpha", alpha}}, InPlace::yes);
    run(2.0 * elementwise_cost(n * c), prelu_workspace(n, c),
        [=](Team& team) { prelu_backward(team, dx_data, dalpha_data, dy_data, x_data, alpha_data, n, c); });
  });
}

// Of softmax and log_softmax, which differ in the operation alone.
template <class Operation>
void bind_rows_forward(const Array& y, const Array& x, Operation operation) {
  require_ndim("x", x, 2);
  visit_float("x", x, [&]<class T>() {
    const Index n = size(x, 0);
    const Index c = size(x, 1);
    const T* x_data = in<T>("x", x, {n, c});
    T* y_data = out<T>("y", y, {n, c});
    refuse_overlap({{"y", y}}, {{"x", x}}, InPlace::yes);
    run(softmax_cost(n, c), 0, [=](Team& team) { operation(team, y_data, x_data, n, c); });
  });
}

template <class Operation>
void bind_rows_backward(const Array& dx, const Array& dy, const Array& y, Operation operation) {
  require_ndim("dy", dy, 2);
  visit_float("dy", dy, [&]<class T>() {
    const Index n = size(dy, 0);
    const Index c = size(dy, 1);
    const T* dy_data = in<T>("dy", dy, {n, c});
    const T* y_data = in<T>("y", y, {n, c});
    T* dx_data = out<T>("dx", dx, {n, c});
    refuse_overlap({{"dx", dx}}, {{"dy", dy}, {"y", y}}, InPlace::yes);
    run(softmax_cost(n, c), 0, [=](Team& team) { operation(team, dx_data, dy_data, y_data, n, c); });
  });
}

void bind_softmax_forward(const Array& y, const Array& x) {
  bind_rows_forward(y, x, [](Team& team, auto... arguments) { softmax_forward(team, arguments...); });
}

void bind_softmax_backward(const Array& dx, const Array& dy, const Array& y) {
  bind_rows_backward(dx, dy, y, [](Team& team, auto... arguments) { softmax_backward(team, arguments...); });
}

void bind_log_softmax_forward(const Array& y, const Array& x) {
  bind_rows_forward(y, x, [](Team& team, auto... arguments) { log_softmax_forward(team, arguments...); });
}

void bind_log_softmax_backward(const Array& dx, const Array& dy, const Array& y) {
  bind_rows_backward(dx, dy, y, [](Team& team, auto... arguments) { log_softmax_backward(team, arguments...); });
}

void bind_activity_penalty(const Array& total, const Array& x, double l1, double l2) {
  visit_float("x", x, [&]<class T>() {
    double* total_data = out<double>("total", total, {1});
    const T* x_data = in<T>("x", x, Shape(x));
    refuse_overlap({{"total", total}}, {{"x", x}}, InPlace::no);
    const Index count = x.size();
    run(elementwise_cost(count), activity_penalty_workspace(count),
        [=](Team& team) { activity_penalty(team, total_data, x_data, count, l1, l2); });
  });
}

void bind_activity_penalty_backward(const Array& dx, const Array& dy, const Array& x, double l1, double l2,
                                    double scale) {
  visit_float("dy", dy, [&]<class T>() {
    const Shape shape(dy);
    const T* dy_data = in<T>("dy", dy, shape);
    const T* x_data = in<T>("x", x, shape);
    T* dx_data = out<T>("dx", dx, shape);
    refuse_overlap({{"dx", dx}}, {{"dy", dy}, {"x", x}}, InPlace::yes);
    const Index count = dy.size();
    run(elementwise_cost(count), 0,
        [=](Team& team) { activity_penalty_backward(team, dx_data, dy_data, x_data, count, scale * l1, scale * l2); });
  });
}

}  // namespace

void register_activation(py::module_& module) {
  module.def("activation_forward", bind_activation_forward, py::arg("y"), py::arg("x"), py::arg("activation"),
             py::arg("alpha"));
  module.def("activation_backward", bind_activation_backward, py::arg("dx"), py::arg("dy"), py::arg("x").none(true),
             py::arg("y").none(true), py::arg("activation"), py::arg("alpha"));
  module.def("relu_forward", bind_relu_forward, py::arg("y"), py::arg("x"), py::arg("negative_slope"),
             py::arg("threshold"), py::arg("max_value"));
  module.def("relu_backward", bind_relu_backward, py::arg("dx"), py::arg("dy"), py::arg("x"), py::arg("negative_slope"),
             py::arg("threshold"), py::arg("max_value"));
  module.def("prelu_forward", bind_prelu_forward, py::arg("y"), py::arg("x"), py::arg("alpha"));
  module.def("prelu_backward", bind_prelu_backward, py::arg("dx").none(true), py::arg("dalpha").none(true),
             py::arg("dy"), py::arg("x"), py::arg("alpha"));
  module.def("softmax_forward", bind_softmax_forward, py::arg("y"), py::arg("x"));
  module.def("softmax_backward", bind_softmax_backward, py::arg("dx"), py::arg("dy"), py::arg("y"));
  module.def("log_softmax_forward", bind_log_softmax_forward, py::arg("y"), py::arg("x"));
  module.def("log_softmax_backward", bind_log_softmax_backward, py::arg("dx"), py::arg("dy"), py::arg("y"));
  module.def("activity_penalty", bind_activity_penalty, py::arg("total"), py::arg("x"), py::arg("l1"), py::arg("l2"));
  module.def("activity_penalty_backward", bind_activity_penalty_backward, py::arg("dx"), py::arg("dy"), py::arg("x"),
             py::arg("l1"), py::arg("l2"), py::arg("scale"));
}

}  // namespace flyball::bind
