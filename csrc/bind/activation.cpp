#include "bind/arrays.h"
#include "bind/register.h"
#include "flyball/ops.h"

namespace flyball::bind {
namespace {

void bind_relu_forward(const Array& y, const Array& x) {
  visit_float("x", x, [&]<class T>() {
    const Shape shape(x);
    const T* x_data = in<T>("x", x, shape);
    T* y_data = out<T>("y", y, shape);
    const Index count = x.size();
    run(elementwise_cost(count), 0, [=](Team& team) { relu_forward(team, y_data, x_data, count); });
  });
}

void bind_relu_backward(const Array& dx, const Array& dy, const Array& y) {
  visit_float("dy", dy, [&]<class T>() {
    const Shape shape(dy);
    const T* dy_data = in<T>("dy", dy, shape);
    const T* y_data = in<T>("y", y, shape);
    T* dx_data = out<T>("dx", dx, shape);
    const Index count = dy.size();
    run(elementwise_cost(count), 0, [=](Team& team) { relu_backward(team, dx_data, dy_data, y_data, count); });
  });
}

}  // namespace

void register_activation(py::module_& module) {
  module.def("relu_forward", bind_relu_forward, py::arg("y"), py::arg("x"));
  module.def("relu_backward", bind_relu_backward, py::arg("dx"), py::arg("dy"), py::arg("y"));
}

}  // namespace flyball::bind
