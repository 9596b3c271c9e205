// Recurrent layers over raw memory: what follows from step to step. The part of the gates that comes from the inputs,
// one product for all positions, is the caller's.
//
// Positions lie one after the other, as in a PackedSequence: step t has the first batch_sizes[t] sequences, which never
// become more. A row is one sequence at one position.
#pragma once

#include "kernels/recurrent.h"

namespace gradus::cpu {

using namespace kernel;

template <class T>
void recurrent_forward(const Recurrence& r, const RecurrentForward<T>& p);

template <class T>
void recurrent_backward(const Recurrence& r, const RecurrentBackward<T>& p);

// The state before each row, [rows, out].
template <class T>
void recurrent_states_before(const Recurrence& r, const T* y, const T* h0, T* before);

}  // namespace gradus::cpu
