// Changing a tensor that is part of a graph.
#pragma once

#include <gradus/tensor.h>

namespace gradus::detail {

// Throws AutogradError where `self` must not be changed in place: a leaf that requires a gradient, or a view of one,
// while recording.
void check_inplace(const char* call, const Tensor& self);

// Whether writing a function of `others` into self must be recorded.
bool records_inplace(const Tensor& self, std::initializer_list<const Tensor*> others);

// Writes `result`, which has self's sizes, into self and gives self result's history. Where self is a view, its base
// (and so every other view of that) sees the change in its history too.
void commit_inplace(const char* call, Tensor& self, const Tensor& result);

// The grad_fn of a tensor, brought up to date where it is a view of something changed in place.
Ref<Node> current_grad_fn(TensorImpl& impl);

// Converts and copies src's elements into dst's, which has the same sizes. Records nothing and counts one change.
void copy_data(const Tensor& dst, const Tensor& src);

// Writes the number, which fits x's type, into every element. Records and counts nothing.
void fill_data(const Tensor& x, const Scalar& value);

}  // namespace gradus::detail
