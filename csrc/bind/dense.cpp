#include <pybind11/stl.h>

#include "bind/arrays.h"
#include "bind/register.h"
#include "flyball/ops.h"

namespace flyball::bind {
namespace {

void bind_matmul(const Array& c, const Array& a, const Array& b, const OptionalArray& bias, bool transpose_a,
                 bool transpose_b, const std::string& activation_name, double alpha) {
  require_ndim("a", a, 2);
  require_ndim("b", b, 2);
  const ActivationParams params{activation(activation_name), alpha};
  const Index m = size(a, transpose_a ? 1 : 0);
  const Index k = size(a, transpose_a ? 0 : 1);
  const Index n = size(b, transpose_b ? 0 : 1);
  visit_float("a", a, [&]<class T>() {
    Matrix<T> left = in_matrix<T>("a", a, size(a, 0), size(a, 1));
    Matrix<T> right = in_matrix<T>("b", b, transpose_b ? n : k, transpose_b ? k : n);
    if (transpose_a) left = left.transposed();
    if (transpose_b) right = right.transposed();
    const T* bias_data = in<T>("bias", bias, {n});
    T* c_data = out<T>("c", c, {m, n});
    refuse_overlap({{"c", c}}, {{"a", a}, {"b", b}, {"bias", bias}}, InPlace::no);
    run(matmul_cost(m, n, k), 0, [=](Team& team) { matmul(team, c_data, left, right, bias_data, m, n, k, params); });
  });
}

void bind_dense_forward(const Array& y, const Array& x, const Array& w, const OptionalArray& b,
                        const OptionalArray& added, const std::string& activation_name, double alpha) {
  require_ndim("x", x, 2);
  require_ndim("w", w, 2);
  const ActivationParams params{activation(activation_name), alpha};
  const Index n = size(x, 0);
  const Index k = size(x, 1);
  const Index c = size(w, 1);
  visit_float("x", x, [&]<class T>() {
    const Matrix<T> x_data = in_matrix<T>("x", x, n, k);
    const Matrix<T> w_data = in_matrix<T>("w", w, k, c);
    const T* b_data = in<T>("b", b, {c});
    const T* added_data = in<T>("added", added, {n, c});
    T* y_data = out<T>("y", y, {n, c});
    refuse_overlap({{"y", y}}, {{"x", x}, {"w", w}, {"b", b}, {"added", added}}, InPlace::no);
    run(matmul_cost(n, c, k), 0,
        [=](Team& team) { dense_forward(team, y_data, x_data, w_data, b_data, added_data, n, k, c, params); });
  });
}

void bind_dense_batch_norm_inference(const Array& y, const Array& x, const Array& w, const OptionalArray& b,
                                     const OptionalArray& gamma, const OptionalArray& beta, const Array& running_mean,
                                     const Array& running_var, double epsilon, const std::string& activation_name,
                                     double alpha) {
  require_ndim("x", x, 2);
  require_ndim("w", w, 2);
  const ActivationParams params{activation(activation_name), alpha};
  const Index n = size(x, 0);
  const Index k = size(x, 1);
  const Index c = size(w, 1);
  visit_float("x", x, [&]<class T>() {
    const Matrix<T> x_data = in_matrix<T>("x", x, n, k);
    const Matrix<T> w_data = in_matrix<T>("w", w, k, c);
    const T* b_data = in<T>("b", b, {c});
    const RunningNorm<T> norm = {in<T>("gamma", gamma, {c}), in<T>("beta", beta, {c}),
                                 in<T>("running_mean", running_mean, {c}), in<T>("running_var", running_var, {c}),
                                 epsilon};
    T* y_data = out<T>("y", y, {n, c});
    refuse_overlap({{"y", y}},
                   {{"x", x},
                    {"w", w},
                    {"b", b},
                    {"gamma", gamma},
                    {"beta", beta},
                    {"running_mean", running_mean},
                    {"running_var", running_var}},
                   InPlace::no);
    run(matmul_cost(n, c, k), 0,
        [=](Team& team) { dense_batch_norm_inference(team, y_data, x_data, w_data, b_data, norm, n, k, c, params); });
  });
}

void bind_dense_backward(const OptionalArray& dx, const OptionalArray& dw, const OptionalArray& db, const Array& dy,
                         const Array& x, const Array& w, bool gated) {
  require_ndim("x", x, 2);
  require_ndim("w", w, 2);
  const Index n = size(x, 0);
  const Index k = size(x, 1);
  const Index c = size(w, 1);
  visit_float("x", x, [&]<class T>() {
    const Matrix<T> x_data = in_matrix<T>("x", x, n, k);
    const Matrix<T> w_data = in_matrix<T>("w", w, k, c);
    const Matrix<T> dy_data = in_matrix<T>("dy", dy, n, c);
    T* dx_data = out<T>("dx", dx, {n, k});
    const Rows<T> dw_rows = dw ? out_rows<T>("dw", *dw, k, c) : Rows<T>{};
    T* db_data = out<T>("db", db, {c});
    refuse_overlap({{"dx", dx}, {"dw", dw}, {"db", db}}, {{"dy", dy}, {"x", x}, {"w", w}}, InPlace::no);
    run(dense_backward_cost(n, k, c), 0, [=](Team& team) {
      dense_backward(team, dx_data, dw_rows.data, dw_rows.stride, db_data, dy_data, x_data, w_data, n, k, c, gated);
    });
  });
}

}  // namespace

void register_dense(py::module_& module) {
  module.def("matmul", bind_matmul, py::arg("c"), py::arg("a"), py::arg("b"), py::arg("bias").none(true),
             py::arg("transpose_a"), py::arg("transpose_b"), py::arg("activation"), py::arg("alpha"));
  module.def("dense_forward", bind_dense_forward, py::arg("y"), py::arg("x"), py::arg("w"), py::arg("b").none(true),
             py::arg("added").none(true), py::arg("activation"), py::arg("alpha"));
  module.def("dense_batch_norm_inference", bind_dense_batch_norm_inference, py::arg("y"), py::arg("x"), py::arg("w"),
             py::arg("b").none(true), py::arg("gamma").none(true), py::arg("beta").none(true), py::arg("running_mean"),
             py::arg("running_var"), py::arg("epsilon"), py::arg("activation"), py::arg("alpha"));
  module.def("dense_backward", bind_dense_backward, py::arg("dx").none(true), py::arg("dw").none(true),
             py::arg("db").none(true), py::arg("dy"), py::arg("x"), py::arg("w"), py::arg("gated"));
}

}  // namespace flyball::bind
