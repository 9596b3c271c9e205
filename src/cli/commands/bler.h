// Block error rates by simulation.
#pragma once

#include <gradus/models/autoencoder.h>

#include <vector>

namespace gradus::cli {

struct ErrorCount {
  std::int64_t blocks = 0, errors = 0;
  double rate() const { return blocks ? static_cast<double>(errors) / static_cast<double>(blocks) : 0; }
};

// One value of Eb/N0, all decoders on the same noise.
struct BlerPoint {
  double ebn0_db = 0;
  ErrorCount joint, receiver;  // the autoencoder's decoder after the first and the second phase
  ErrorCount own_ml;           // maximum likelihood among the learned code words: the limit for any decoder
  ErrorCount hamming_ml;       // Hamming(7,4) with soft maximum-likelihood decoding
  double uncoded = 0;          // BPSK without a code, exact
};

struct BlerOptions {
  std::int64_t errors = 8000;      // a point ends when each decoder has made so many,
  std::int64_t blocks = 10000000;  // or after so many blocks
};

// The 16 code words of Hamming(7,4) as +-1, [16, 7].
Tensor hamming_code();

// Blocks of `bits` uncoded BPSK bits at an Eb/N0 in dB: 1 - (1 - Q(sqrt(2 Eb/N0)))^bits.
double uncoded_bler(double ebn0_db, double bits);

// `joint` and `receiver` share the encoder, whose code words are sent. Stops early (with what it has) when interrupted.
BlerPoint simulate_bler(models::AutoEncoder joint, models::AutoEncoder receiver, double ebn0_db,
                        const BlerOptions& options, Generator& generator);

}  // namespace gradus::cli
