// Measures of predictions: confusion matrices, scores of classifiers, and error rates with confidence intervals.
#pragma once

#include <vector>

#include <gradus/tensor.h>

namespace gradus::metrics {

// int64 [classes, classes]: element (t, p) counts the samples of class t for which class p was predicted. Both tensors
// are [n], of an integer type. ValueError for a class outside [0, classes).
Tensor confusion_matrix(const Tensor& predicted, const Tensor& target, std::int64_t classes);

// For each class of a confusion matrix; 0 where the denominator is 0.
std::vector<double> precision(const Tensor& confusion);
std::vector<double> recall(const Tensor& confusion);
std::vector<double> f1(const Tensor& confusion);

enum class Average {
  micro,     // counts over all samples
  macro,     // the mean over the classes
  weighted,  // the mean over the classes, weighted by their numbers of samples
};
double f1_score(const Tensor& predicted, const Tensor& target, std::int64_t classes, Average average = Average::macro);
// The share of samples whose class was predicted.
double accuracy(const Tensor& predicted, const Tensor& target);

// The area under the receiver operating characteristic: the share of pairs of a positive sample (target 1 or true) and
// a negative one (0) in which the positive has the higher score, with equal scores counting half. ValueError unless
// there are samples of both kinds.
double auroc(const Tensor& scores, const Tensor& target);

// The share of trials that failed, with Wilson's score interval [low, high] for the given confidence, in (0, 1).
struct ErrorRate {
  std::int64_t errors = 0, trials = 0;
  double rate = 0, low = 0, high = 1;
};
ErrorRate error_rate(std::int64_t errors, std::int64_t trials, double confidence = 0.95);
// For single bits. Both tensors have the same sizes; true and numbers above 1/2 are ones.
ErrorRate bit_error_rate(const Tensor& received, const Tensor& sent, double confidence = 0.95);
// For blocks, which are the rows of [blocks, bits]: one wrong bit makes a block wrong.
ErrorRate block_error_rate(const Tensor& received, const Tensor& sent, double confidence = 0.95);

}  // namespace gradus::metrics
