#include <pybind11/stl.h>

#include "bind/arrays.h"
#include "bind/register.h"
#include "flyball/ops.h"

namespace flyball::bind {
namespace {

void bind_matmul(const Array& c, const Array& a, const Array& b, const OptionalArray& bias, bool transpose_a,
                 bool transpose_b, const std::string& activation_name) {
  require_ndim("a", a, 2);
  require_ndim("b", b, 2);
  const Activation activation_code = activation(activation_name);
  const Index m = size(a, transpose_a ? 1 : 0);
  const Index k = size(a, transpose_a ? 0 : 1);
  const Index n = size(b, transpose_b ? 0 : 1);
  visit_float("a", a, [&]<class T>() {
    const T* a_data = in<T>("a", a, Shape(a));
    const T* b_data = in<T>("b", b, transpose_b ? Shape{n, k} : Shape{k, n});
    const T* bias_data = in<T>("bias", bias, {n});
    T* c_data = out<T>("c", c, {m, n});
    run(matmul_cost(m, n, k), 0, [=](Team& team) {
      matmul(team, c_data, a_data, b_data, bias_data, transpose_a, transpose_b, m, n, k, activation_code);
    });
  });
}

}  // namespace

void register_dense(py::module_& module) {
  module.def("matmul", bind_matmul, py::arg("c"), py::arg("a"), py::arg("b"), py::arg("bias").none(true),
             py::arg("transpose_a"), py::arg("transpose_b"), py::arg("activation"));
}

}  // namespace flyball::bind
