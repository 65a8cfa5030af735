// The chapters of the module; module.cpp is their table of contents.
#pragma once

#include <pybind11/pybind11.h>

namespace flyball::bind {

void register_runtime(pybind11::module_& module);
void register_dense(pybind11::module_& module);
void register_norm(pybind11::module_& module);
void register_ghost_norm(pybind11::module_& module);
void register_norm_steps(pybind11::module_& module);
void register_layer_norm(pybind11::module_& module);
void register_dropout(pybind11::module_& module);
void register_activation(pybind11::module_& module);
void register_program(pybind11::module_& module);
void register_loss(pybind11::module_& module);
void register_update(pybind11::module_& module);
void register_weights(pybind11::module_& module);
void register_data(pybind11::module_& module);
void register_random(pybind11::module_& module);
void register_augment(pybind11::module_& module);

}  // namespace flyball::bind
