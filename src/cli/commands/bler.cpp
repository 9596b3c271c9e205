#include "cli/commands/bler.h"

#include <gradus/autograd.h>
#include <gradus/random.h>

#include <algorithm>
#include <cmath>

#include "cli/run/interrupt.h"

namespace gradus::cli {

namespace {

constexpr std::int64_t kBatch = 8192;

void count(ErrorCount& total, const Tensor& scores, const Tensor& messages) {
  total.blocks += messages.numel();
  total.errors += sum(argmax(scores, 1) != messages).item<std::int64_t>();
}

// The code words sent, as received. One matrix of noise serves every code of the same length and rate.
Tensor sent(const Tensor& code, const Tensor& messages, const Tensor& noise) {
  return index_select(code, 0, messages) + noise;
}

}  // namespace

Tensor hamming_code() {
  std::vector<float> words;
  for (int message = 0; message < 16; ++message) {
    const int d[] = {message & 1, message >> 1 & 1, message >> 2 & 1, message >> 3 & 1};
    for (int bit : {d[0], d[1], d[2], d[3], d[0] ^ d[1] ^ d[3], d[0] ^ d[2] ^ d[3], d[1] ^ d[2] ^ d[3]})
      words.push_back(bit ? -1.0f : 1.0f);
  }
  return tensor(words, {16, 7});
}

double uncoded_bler(double ebn0_db, double bits) {
  const double q = 0.5 * std::erfc(std::sqrt(std::pow(10.0, ebn0_db / 10)));
  return -std::expm1(bits * std::log1p(-q));
}

BlerPoint simulate_bler(models::AutoEncoder joint, models::AutoEncoder receiver, double ebn0_db,
                        const BlerOptions& options, Generator& generator) {
  const InferenceMode guard;
  const double bits = std::log2(static_cast<double>(joint.messages));
  const double uses = static_cast<double>(joint.uses);
  const double sigma = models::noise_sigma(ebn0_db, bits, uses), hamming_sigma = models::noise_sigma(ebn0_db, 4, 7);
  const Tensor learned = joint.encode(eye(joint.messages)), hamming = hamming_code();
  BlerPoint point;
  point.ebn0_db = ebn0_db;
  point.uncoded = uncoded_bler(ebn0_db, bits);
  const auto enough = [&] {
    return std::min({point.joint.errors, point.receiver.errors, point.own_ml.errors, point.hamming_ml.errors}) >=
           options.errors;
  };
  const std::int64_t width = std::max<std::int64_t>(joint.uses, 7);
  while (!enough() && point.joint.blocks < options.blocks && interrupt_signal() == 0) {
    const std::int64_t n = std::min(kBatch, options.blocks - point.joint.blocks);
    const Tensor noise = randn({n, width}, {}, &generator);
    const Tensor messages = randint(0, joint.messages, {n}, {}, &generator);
    const Tensor y = sent(learned, messages, noise.narrow(1, 0, joint.uses) * sigma);
    count(point.joint, joint.decode(y), messages);
    count(point.receiver, receiver.decode(y), messages);
    // All code words have the same energy: the most likely one has the largest product with what was received.
    count(point.own_ml, matmul(y, learned.t()), messages);
    const Tensor nibbles = joint.messages == 16 ? messages : randint(0, 16, {n}, {}, &generator);
    const Tensor z = sent(hamming, nibbles, noise.narrow(1, 0, 7) * hamming_sigma);
    count(point.hamming_ml, matmul(z, hamming.t()), nibbles);
  }
  return point;
}

}  // namespace gradus::cli
