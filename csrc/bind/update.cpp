#include <pybind11/stl.h>

#include "bind/arrays.h"
#include "bind/register.h"
#include "flyball/ops.h"

namespace flyball::bind {
namespace {

void bind_sgd_update(const Array& w, const OptionalArray& velocity, const OptionalArray& penalty, const Array& g,
                     const OptionalArray& gradient_scale, double learning_rate, double momentum, bool nesterov,
                     double l1, double l2, double weight_decay, bool proximal, double clip_value, bool clip_penalty) {
  require_ndim("w", w, 1);
  visit_float("w", w, [&]<class T>() {
    const Index count = size(w, 0);
    T* w_data = out<T>("w", w, {count});
    T* velocity_data = out<T>("velocity", velocity, {count});
    double* penalty_data = out<double>("penalty", penalty, {1});
    const T* g_data = in<T>("g", g, {count});
    const double* scale_data = in<double>("gradient_scale", gradient_scale, {1});
    refuse_overlap({{"w", w}, {"velocity", velocity}, {"penalty", penalty}},
                   {{"g", g}, {"gradient_scale", gradient_scale}}, InPlace::no);
    const SgdParams params{
        learning_rate, momentum, nesterov, {l1, l2, weight_decay, proximal, clip_value, clip_penalty}};
    run(update_cost(count), penalty ? update_workspace(count) : 0,
        [=](Team& team) { sgd_update(team, w_data, velocity_data, penalty_data, g_data, scale_data, count, params); });
  });
}

void bind_adam_update(const Array& w, const Array& m, const Array& v, const OptionalArray& v_max,
                      const OptionalArray& penalty, const Array& g, const OptionalArray& gradient_scale,
                      double learning_rate, double beta_1, double beta_2, double epsilon, std::int64_t step,
                      bool nesterov, double l1, double l2, double weight_decay, bool proximal, double clip_value,
                      bool clip_penalty) {
  require_ndim("w", w, 1);
  visit_float("w", w, [&]<class T>() {
    const Index count = size(w, 0);
    T* w_data = out<T>("w", w, {count});
    T* m_data = out<T>("m", m, {count});
    T* v_data = out<T>("v", v, {count});
    T* v_max_data = out<T>("v_max", v_max, {count});
    double* penalty_data = out<double>("penalty", penalty, {1});
    const T* g_data = in<T>("g", g, {count});
    const double* scale_data = in<double>("gradient_scale", gradient_scale, {1});
    refuse_overlap({{"w", w}, {"m", m}, {"v", v}, {"v_max", v_max}, {"penalty", penalty}},
                   {{"g", g}, {"gradient_scale", gradient_scale}}, InPlace::no);
    const AdamParams params{learning_rate,
                            beta_1,
                            beta_2,
                            epsilon,
                            step,
                            nesterov,
                            {l1, l2, weight_decay, proximal, clip_value, clip_penalty}};
    run(update_cost(count), penalty ? update_workspace(count) : 0, [=](Team& team) {
      adam_update(team, w_data, m_data, v_data, v_max_data, penalty_data, g_data, scale_data, count, params);
    });
  });
}

void bind_rmsprop_update(const Array& w, const Array& v, const OptionalArray& m, const OptionalArray& velocity,
                         const OptionalArray& penalty, const Array& g, const OptionalArray& gradient_scale,
                         double learning_rate, double rho, double momentum, double epsilon, bool epsilon_inside,
                         double l1, double l2, double weight_decay, bool proximal, double clip_value,
                         bool clip_penalty) {
  require_ndim("w", w, 1);
  visit_float("w", w, [&]<class T>() {
    const Index count = size(w, 0);
    T* w_data = out<T>("w", w, {count});
    T* v_data = out<T>("v", v, {count});
    T* m_data = out<T>("m", m, {count});
    T* velocity_data = out<T>("velocity", velocity, {count});
    double* penalty_data = out<double>("penalty", penalty, {1});
    const T* g_data = in<T>("g", g, {count});
    const double* scale_data = in<double>("gradient_scale", gradient_scale, {1});
    refuse_overlap({{"w", w}, {"v", v}, {"m", m}, {"velocity", velocity}, {"penalty", penalty}},
                   {{"g", g}, {"gradient_scale", gradient_scale}}, InPlace::no);
    const RmsParams params{learning_rate,
                           rho,
                           1.0 - rho,
                           momentum,
                           epsilon,
                           epsilon_inside,
                           {l1, l2, weight_decay, proximal, clip_value, clip_penalty}};
    run(update_cost(count), penalty ? update_workspace(count) : 0, [=](Team& team) {
      rmsprop_update(team, w_data, v_data, m_data, velocity_data, penalty_data, g_data, scale_data, count, params);
    });
  });
}

void bind_adagrad_update(const Array& w, const Array& v, const OptionalArray& penalty, const Array& g,
                         const OptionalArray& gradient_scale, double learning_rate, double epsilon, bool epsilon_inside,
                         double l1, double l2, double weight_decay, bool proximal, double clip_value,
                         bool clip_penalty) {
  require_ndim("w", w, 1);
  visit_float("w", w, [&]<class T>() {
    const Index count = size(w, 0);
    T* w_data = out<T>("w", w, {count});
    T* v_data = out<T>("v", v, {count});
    double* penalty_data = out<double>("penalty", penalty, {1});
    const T* g_data = in<T>("g", g, {count});
    const double* scale_data = in<double>("gradient_scale", gradient_scale, {1});
    refuse_overlap({{"w", w}, {"v", v}, {"penalty", penalty}}, {{"g", g}, {"gradient_scale", gradient_scale}},
                   InPlace::no);
    const RmsParams params{learning_rate,
                           1.0,
                           1.0,
                           0.0,
                           epsilon,
                           epsilon_inside,
                           {l1, l2, weight_decay, proximal, clip_value, clip_penalty}};
    run(update_cost(count), penalty ? update_workspace(count) : 0, [=](Team& team) {
      rmsprop_update<T>(team, w_data, v_data, nullptr, nullptr, penalty_data, g_data, scale_data, count, params);
    });
  });
}

void bind_adamax_update(const Array& w, const Array& m, const Array& u, const OptionalArray& penalty, const Array& g,
                        const OptionalArray& gradient_scale, double learning_rate, double beta_1, double beta_2,
                        double epsilon, std::int64_t step, double l1, double l2, double weight_decay, bool proximal,
                        double clip_value, bool clip_penalty) {
  require_ndim("w", w, 1);
  visit_float("w", w, [&]<class T>() {
    const Index count = size(w, 0);
    T* w_data = out<T>("w", w, {count});
    T* m_data = out<T>("m", m, {count});
    T* u_data = out<T>("u", u, {count});
    double* penalty_data = out<double>("penalty", penalty, {1});
    const T* g_data = in<T>("g", g, {count});
    const double* scale_data = in<double>("gradient_scale", gradient_scale, {1});
    refuse_overlap({{"w", w}, {"m", m}, {"u", u}, {"penalty", penalty}}, {{"g", g}, {"gradient_scale", gradient_scale}},
                   InPlace::no);
    const AdamaxParams params{learning_rate, beta_1, beta_2,
                              epsilon,       step,   {l1, l2, weight_decay, proximal, clip_value, clip_penalty}};
    run(update_cost(count), penalty ? update_workspace(count) : 0, [=](Team& team) {
      adamax_update(team, w_data, m_data, u_data, penalty_data, g_data, scale_data, count, params);
    });
  });
}

void bind_adadelta_update(const Array& w, const Array& v, const Array& d, const OptionalArray& penalty, const Array& g,
                          const OptionalArray& gradient_scale, double learning_rate, double rho, double epsilon,
                          double l1, double l2, double weight_decay, bool proximal, double clip_value,
                          bool clip_penalty) {
  require_ndim("w", w, 1);
  visit_float("w", w, [&]<class T>() {
    const Index count = size(w, 0);
    T* w_data = out<T>("w", w, {count});
    T* v_data = out<T>("v", v, {count});
    T* d_data = out<T>("d", d, {count});
    double* penalty_data = out<double>("penalty", penalty, {1});
    const T* g_data = in<T>("g", g, {count});
    const double* scale_data = in<double>("gradient_scale", gradient_scale, {1});
    refuse_overlap({{"w", w}, {"v", v}, {"d", d}, {"penalty", penalty}}, {{"g", g}, {"gradient_scale", gradient_scale}},
                   InPlace::no);
    const AdadeltaParams params{
        learning_rate, rho, epsilon, {l1, l2, weight_decay, proximal, clip_value, clip_penalty}};
    run(update_cost(count), penalty ? update_workspace(count) : 0, [=](Team& team) {
      adadelta_update(team, w_data, v_data, d_data, penalty_data, g_data, scale_data, count, params);
    });
  });
}

void bind_lion_update(const Array& w, const Array& m, const OptionalArray& penalty, const Array& g,
                      const OptionalArray& gradient_scale, double learning_rate, double beta_1, double beta_2,
                      double l1, double l2, double weight_decay, bool proximal, double clip_value, bool clip_penalty) {
  require_ndim("w", w, 1);
  visit_float("w", w, [&]<class T>() {
    const Index count = size(w, 0);
    T* w_data = out<T>("w", w, {count});
    T* m_data = out<T>("m", m, {count});
    double* penalty_data = out<double>("penalty", penalty, {1});
    const T* g_data = in<T>("g", g, {count});
    const double* scale_data = in<double>("gradient_scale", gradient_scale, {1});
    refuse_overlap({{"w", w}, {"m", m}, {"penalty", penalty}}, {{"g", g}, {"gradient_scale", gradient_scale}},
                   InPlace::no);
    const LionParams params{learning_rate, beta_1, beta_2, {l1, l2, weight_decay, proximal, clip_value, clip_penalty}};
    run(update_cost(count), penalty ? update_workspace(count) : 0,
        [=](Team& team) { lion_update(team, w_data, m_data, penalty_data, g_data, scale_data, count, params); });
  });
}

// The arguments that all updates end in.
template <class Function, class... Arguments>
void define(py::module_& module, const char* name, Function function, const Arguments&... arguments) {
  module.def(name, function, arguments..., py::arg("l1"), py::arg("l2"), py::arg("weight_decay"), py::arg("proximal"),
             py::arg("clip_value"), py::arg("clip_penalty"));
}

}  // namespace

void register_update(py::module_& module) {
  const auto optional = [](const char* name) { return py::arg(name).none(true); };
  define(module, "sgd_update", bind_sgd_update, py::arg("w"), optional("velocity"), optional("penalty"), py::arg("g"),
         optional("gradient_scale"), py::arg("learning_rate"), py::arg("momentum"), py::arg("nesterov"));
  define(module, "adam_update", bind_adam_update, py::arg("w"), py::arg("m"), py::arg("v"), optional("v_max"),
         optional("penalty"), py::arg("g"), optional("gradient_scale"), py::arg("learning_rate"), py::arg("beta_1"),
         py::arg("beta_2"), py::arg("epsilon"), py::arg("step"), py::arg("nesterov"));
  define(module, "rmsprop_update", bind_rmsprop_update, py::arg("w"), py::arg("v"), optional("m"), optional("velocity"),
         optional("penalty"), py::arg("g"), optional("gradient_scale"), py::arg("learning_rate"), py::arg("rho"),
         py::arg("momentum"), py::arg("epsilon"), py::arg("epsilon_inside"));
  define(module, "adagrad_update", bind_adagrad_update, py::arg("w"), py::arg("v"), optional("penalty"), py::arg("g"),
         optional("gradient_scale"), py::arg("learning_rate"), py::arg("epsilon"), py::arg("epsilon_inside"));
  define(module, "adamax_update", bind_adamax_update, py::arg("w"), py::arg("m"), py::arg("u"), optional("penalty"),
         py::arg("g"), optional("gradient_scale"), py::arg("learning_rate"), py::arg("beta_1"), py::arg("beta_2"),
         py::arg("epsilon"), py::arg("step"));
  define(module, "adadelta_update", bind_adadelta_update, py::arg("w"), py::arg("v"), py::arg("d"), optional("penalty"),
         py::arg("g"), optional("gradient_scale"), py::arg("learning_rate"), py::arg("rho"), py::arg("epsilon"));
  define(module, "lion_update", bind_lion_update, py::arg("w"), py::arg("m"), optional("penalty"), py::arg("g"),
         optional("gradient_scale"), py::arg("learning_rate"), py::arg("beta_1"), py::arg("beta_2"));
}

}  // namespace flyball::bind
