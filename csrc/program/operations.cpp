#include "program/operations.h"

#include <stdexcept>

namespace flyball {

const Operation& find_operation(const std::string& name) {
  for (const auto family :
       {dense_operations, norm_operations, dropout_operations, activation_operations, loss_operations,
        update_operations, weights_operations, data_operations, random_operations, augment_operations}) {
    for (const Operation& operation : family()) {
      if (name == operation.name) return operation;
    }
  }
  throw std::invalid_argument("op must be one a Program can contain, got '" + name + "'");
}

}  // namespace flyball
