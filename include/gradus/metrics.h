// How good answers are: counts and curves over predictions, with intervals where they are shares of trials.
#pragma once

#include <vector>

#include <gradus/tensor.h>

namespace gradus::metrics {

// [classes, classes] int64: element (t, p) counts the samples of class t that were taken for p. Both [n], of integers;
// ValueError for a class outside of 0 to classes - 1.
Tensor confusion_matrix(const Tensor& predicted, const Tensor& target, std::int64_t classes);

// Of a confusion matrix, for each class; 0 where nothing is there to divide by.
std::vector<double> precision(const Tensor& confusion);
std::vector<double> recall(const Tensor& confusion);
std::vector<double> f1(const Tensor& confusion);

enum class Average {
  micro,     // over all samples
  macro,     // over classes
  weighted,  // over classes, by how many samples they have
};
double f1_score(const Tensor& predicted, const Tensor& target, std::int64_t classes, Average average = Average::macro);
double accuracy(const Tensor& predicted, const Tensor& target);

// The area under the receiver operating characteristic: the share of pairs of a positive (target 1 or true) and a
// negative (0) whose scores are in order, equal ones counting half. ValueError without both kinds.
double auroc(const Tensor& scores, const Tensor& target);

// A share of trials, with Wilson's interval, which holds the true share with the given confidence.
struct ErrorRate {
  std::int64_t errors = 0, trials = 0;
  double rate = 0, low = 0, high = 1;
};
ErrorRate error_rate(std::int64_t errors, std::int64_t trials, double confidence = 0.95);
// Of bits: received and sent have equal sizes; numbers above 1/2 and true are ones.
ErrorRate bit_error_rate(const Tensor& received, const Tensor& sent, double confidence = 0.95);
// Of blocks, which are rows: [blocks, bits]; one wrong bit makes a block wrong.
ErrorRate block_error_rate(const Tensor& received, const Tensor& sent, double confidence = 0.95);

}  // namespace gradus::metrics
