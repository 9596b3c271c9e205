// Optimizers: one kernel updates all pieces.
#include <gradus/core/error.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_map>

#include "core/visit.h"
#include "kernels/formulas/moment_rules.h"
#include "kernels/formulas/name.h"
#include "kernels/formulas/rules.h"
#include "kernels/gpu/elementwise/formulas.h"
#include "kernels/gpu/kernels.h"
#include "kernels/gpu/recording.h"
#include "kernels/gpu/reducers.h"

namespace gradus::gpu {

namespace {

constexpr std::int64_t kChunk = 4096;  // elements of one tensor that a block takes

struct Chunk {
  std::int64_t tensor, begin, n;
};

template <class N>
std::vector<Chunk> chunks_of(std::size_t tensors, const N& size) {
  std::vector<Chunk> chunks;
  for (std::size_t t = 0; t < tensors; ++t)
    for (std::int64_t i = 0; i < size(t); i += kChunk)
      chunks.push_back({static_cast<std::int64_t>(t), i, std::min(kChunk, size(t) - i)});
  return chunks;
}

// A piece as kernels see it.
template <class T>
struct Parts {
  Global<T> p;
  Global<const T> g;
  Global<T> state[kernel::kMaxState];
  std::int64_t rule;
};

template <class U, class T, int K>
struct Update {
  Global<const Chunk> chunks;
  Global<const Parts<T>> parts;
  Global<const U> rules;
  GRADUS_DEVICE void operator()(const Block& block) const {
    const Chunk chunk = chunks[block.index()];
    const Parts<T> of = parts[chunk.tensor];
    const U rule = rules[of.rule];
    block.each(chunk.n, [&](std::int64_t k) {
      const std::int64_t i = chunk.begin + k;
      const auto& s = of.state;
      if constexpr (K == 0) rule.update(of.p[i], of.g[i]);
      if constexpr (K == 1) rule.update(of.p[i], of.g[i], s[0][i]);
      if constexpr (K == 2) rule.update(of.p[i], of.g[i], s[0][i], s[1][i]);
      if constexpr (K == 3) rule.update(of.p[i], of.g[i], s[0][i], s[1][i], s[2][i]);
      if constexpr (K == 4) rule.update(of.p[i], of.g[i], s[0][i], s[1][i], s[2][i], s[3][i]);
    });
  }
};

template <class U, class T, int K>
void update_pieces(std::span<const Piece> pieces, const Rules& rules) {
  if (rules.bytes != sizeof(U))
    throw Error("optimizer: libgradus_cuda.so was built from other sources than this library");
  const std::vector<Chunk> chunks = chunks_of(pieces.size(), [&](std::size_t t) { return pieces[t].n; });
  if (chunks.empty()) return;
  std::vector<Parts<T>> parts;
  for (const Piece& piece : pieces) {
    Parts<T> of{output<T>(piece.p), input<T>(piece.g), {}, static_cast<std::int64_t>(piece.rule)};
    for (int i = 0; i < K; ++i) of.state[i] = output<T>(piece.state[static_cast<std::size_t>(i)]);
    parts.push_back(of);
  }
  // The host's rule may know more of itself than its update, but holds nothing else.
  Recording* const now = recording();
  const auto* const place = now != nullptr ? static_cast<const U*>(now->place_of(pieces, rules)) : nullptr;
  const Table<U> all(static_cast<const U*>(rules.data), place != nullptr ? 0 : static_cast<std::int64_t>(rules.count));
  const Table<Chunk> chunk_table(chunks);
  const Table<Parts<T>> part_table(parts);
  launch_blocks(static_cast<std::int64_t>(chunks.size()), kMaxThreads,
                Update<U, T, K>{chunk_table.get(), part_table.get(), place != nullptr ? place : all.get()});
}

template <class U, int K>
void update_by(std::span<const Piece> pieces, const Rules& rules) {
  rules.element_size == 4 ? update_pieces<U, float, K>(pieces, rules) : update_pieces<U, double, K>(pieces, rules);
}

struct Key {
  std::string_view name;
  std::size_t state_count;
};

// The rules with how many tensors of state they may have.
struct UpdateEntry {
  Key key;
  UpdateRun run;
};
template <class U, int... K>
void add(std::vector<UpdateEntry>& all) {
  (all.push_back({{kernel::update_name<U>(), K}, update_by<U, K>}), ...);
}

const std::vector<UpdateEntry>& updates() {
  using namespace optim;
  static const std::vector<UpdateEntry> table = [] {
    std::vector<UpdateEntry> all;
    add<SgdUpdate, 0, 1>(all);
    add<RmspropUpdate, 1, 2, 3>(all);
    add<AdadeltaUpdate, 2>(all);
    add<AdagradUpdate, 1>(all);
    add<AsgdUpdate, 1>(all);
    add<LionUpdate, 1>(all);
    add<RpropUpdate, 2>(all);
    add<AddScaled, 0>(all);
    add<SetScaled, 0>(all);
    add<MuonMomentum, 1>(all);
    add<Scale, 0>(all);
    add<Move, 0>(all);
    add<AdamUpdate, 2, 3>(all);
    add<AdamaxUpdate, 2>(all);
    add<NadamUpdate, 2>(all);
    add<RadamUpdate, 2>(all);
    add<AdemamixUpdate, 3>(all);
    add<ShowTraining, 2>(all);
    add<SgdScheduleFreeUpdate, 2>(all);
    add<AdamwScheduleFreeUpdate, 3>(all);
    return all;
  }();
  return table;
}

// --- the same for all elements of many tensors ---

enum class Change { scale, clamp, lerp, meet };

template <class T>
struct Pairs {
  Global<T> a, b;
};

template <class T, Change change>
struct ChangeAll {
  Global<const Chunk> chunks;
  Global<const Pairs<T>> tensors;
  T number;
  GRADUS_DEVICE void operator()(const Block& block) const {
    const Chunk chunk = chunks[block.index()];
    const Pairs<T> of = tensors[chunk.tensor];
    block.each(chunk.n, [&](std::int64_t k) {
      T& x = of.a[chunk.begin + k];
      if constexpr (change == Change::scale) x *= number;
      if constexpr (change == Change::clamp) {
        const T low = x < -number ? -number : x;
        x = low > number ? number : low;
      }
      if constexpr (change == Change::lerp || change == Change::meet) {
        // torch.lerp's formula: exact at both ends.
        const T y = of.b[chunk.begin + k];
        x = number < T(0.5) ? x + number * (y - x) : y - (y - x) * (1 - number);
        if constexpr (change == Change::meet) of.b[chunk.begin + k] = x;
      }
    });
  }
};

template <class T, Change change>
void change_of(std::span<const Elements> a, std::span<const Elements> b, double number) {
  std::vector<Pairs<T>> pairs;
  std::vector<std::int64_t> sizes;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].dtype != DtypeOf<T>::value) continue;
    pairs.push_back({output<T>(a[i].data), output<T>(b.empty() ? nullptr : b[i].data)});
    sizes.push_back(a[i].n);
  }
  const std::vector<Chunk> chunks = chunks_of(pairs.size(), [&](std::size_t t) { return sizes[t]; });
  if (chunks.empty()) return;
  const Table<Chunk> chunk_table(chunks);
  const Table<Pairs<T>> pair_table(pairs);
  launch_blocks(static_cast<std::int64_t>(chunks.size()), kMaxThreads,
                ChangeAll<T, change>{chunk_table.get(), pair_table.get(), static_cast<T>(number)});
}

template <Change change>
void change_all(std::span<const Elements> a, std::span<const Elements> b, double number) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    visit<float, double>("optimizer", a[i].dtype, [](auto) {});
    if (!b.empty() && (a[i].dtype != b[i].dtype || a[i].n != b[i].n))
      refuse_type("pairs of unequal tensors", b[i].dtype);
  }
  change_of<float, change>(a, b, number);
  change_of<double, change>(a, b, number);
}

enum class Power { one, two, any, largest };

template <class T, Power power>
struct PartPowers {
  Global<const Chunk> chunks;
  Global<const T> x;
  double p;
  Global<double> parts;
  GRADUS_DEVICE void operator()(const Block& block) const {
    using R = std::conditional_t<power == Power::largest, ExtremeOf<double, true>, SumOf<double>>;
    const Chunk chunk = chunks[block.index()];
    const double sum = block.template reduce<R, double>(chunk.n, [&](std::int64_t k) {
      const double v = std::abs(static_cast<double>(x[chunk.begin + k]));
      if constexpr (power == Power::two) return v * v;
      if constexpr (power == Power::any) return std::pow(v, p);
      return v;
    });
    block.each(1, [&](std::int64_t) { parts[block.index()] = sum; });
  }
};

template <class T>
void part_powers(const Elements& x, const std::vector<Chunk>& chunks, double p, double* parts) {
  const Table<Chunk> table(chunks);
  const auto run = [&]<Power power>() {
    launch_blocks(static_cast<std::int64_t>(chunks.size()), kMaxThreads,
                  PartPowers<T, power>{table.get(), input<T>(x.data), p, parts});
  };
  if (p == 2) return run.template operator()<Power::two>();
  if (p == 1) return run.template operator()<Power::one>();
  if (std::isinf(p)) return run.template operator()<Power::largest>();
  run.template operator()<Power::any>();
}

}  // namespace

void update(std::span<const Piece> pieces, const Rules& rules) {
  if (Recording* const step = prepared(); step != nullptr) return step->take(pieces, rules);
  const std::string_view name = rules.name();
  for (const UpdateEntry& entry : updates())
    if (entry.key.state_count == rules.state_count && entry.key.name == name) return entry.run(pieces, rules);
  throw Error("optimizer: GPUs have no kernel for the rule " + std::string(name) + " with " +
              std::to_string(rules.state_count) + " tensors of state");
}

std::vector<double> norm_powers(std::span<const Elements> tensors, double p) {
  refuse_recording("a norm of gradients");
  std::vector<std::vector<Chunk>> chunks;
  std::int64_t count = 0;
  for (const Elements& x : tensors) {
    chunks.push_back(chunks_of(1, [&](std::size_t) { return x.n; }));
    count += static_cast<std::int64_t>(chunks.back().size());
  }
  std::vector<double> powers(tensors.size()), parts(static_cast<std::size_t>(count));
  if (count == 0) return powers;
  const Scratch<double> there(count);
  std::int64_t at = 0;
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    if (chunks[t].empty()) continue;
    visit<float, double>("norm", tensors[t].dtype,
                         [&]<class T>(T) { part_powers<T>(tensors[t], chunks[t], p, there.get() + at); });
    at += static_cast<std::int64_t>(chunks[t].size());
  }
  copy_to_host(parts.data(), there.get(), parts.size() * sizeof(double));
  auto part = parts.begin();
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    for (std::size_t k = 0; k < chunks[t].size(); ++k, ++part) {
      // A NaN wins over every number.
      powers[t] = !std::isinf(p) ? powers[t] + *part : *part > powers[t] || *part != *part ? *part : powers[t];
    }
  }
  return powers;
}

void multi_scale(std::span<const Elements> tensors, double factor) { change_all<Change::scale>(tensors, {}, factor); }
void multi_clamp(std::span<const Elements> tensors, double limit) { change_all<Change::clamp>(tensors, {}, limit); }
void multi_lerp(std::span<const Elements> a, std::span<const Elements> b, double weight) {
  change_all<Change::lerp>(a, b, weight);
}
void multi_meet(std::span<const Elements> a, std::span<const Elements> b, double weight) {
  change_all<Change::meet>(a, b, weight);
}

}  // namespace gradus::gpu
