#include "bind/register.h"

PYBIND11_MODULE(_core, module, pybind11::mod_gil_not_used()) {
  module.doc() = "flyball's native backend; see flyball.backend.Backend for what it promises.";
  module.attr("name") = "native";
  flyball::bind::register_runtime(module);
  flyball::bind::register_dense(module);
  flyball::bind::register_norm(module);
  flyball::bind::register_ghost_norm(module);
  flyball::bind::register_norm_steps(module);
  flyball::bind::register_layer_norm(module);
  flyball::bind::register_dropout(module);
  flyball::bind::register_activation(module);
  flyball::bind::register_program(module);
  flyball::bind::register_loss(module);
  flyball::bind::register_update(module);
  flyball::bind::register_weights(module);
  flyball::bind::register_data(module);
  flyball::bind::register_random(module);
  flyball::bind::register_augment(module);
}
