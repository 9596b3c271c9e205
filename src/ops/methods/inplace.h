// Operations in place that compute anew and copy: what they save for backward is not what they change.
#pragma once

#include <initializer_list>
#include <string>

#include <gradus/tensor.h>

#include "autograd/inplace.h"

namespace gradus::ops {

// self = f(self). While recording, f reads a copy, so that it may keep its input for backward.
template <class F>
Tensor& change(const char* call, Tensor& self, std::initializer_list<const Tensor*> others, const F& f) {
  detail::check_inplace(call, self);
  const Tensor result = f(detail::records_inplace(self, others) ? self.clone() : self);
  if (result.dtype() != self.dtype()) {
    throw DtypeError(std::string(call) + ": the result is " + to_string(result.dtype()) +
                     ", which does not fit in place into " + to_string(self.dtype()));
  }
  detail::commit_inplace(call, self, result);
  return self;
}

}  // namespace gradus::ops
