// What every row of the table of operations is put to: values, first and second gradients, instruction sets.
#include <gradus/autograd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>
#include <set>

#include "kernels/cpu/simd/simd.h"
#include "ops/op_table.h"
#include "support/device.h"
#include "support/paths.h"
#include "support/tested_device.h"

namespace gradus::test {
namespace {

enum class Layout { contiguous, transposed, broadcast, channels_last };
constexpr Layout kLayouts[] = {Layout::contiguous, Layout::transposed, Layout::broadcast, Layout::channels_last};
const char* name_of(Layout layout) {
  constexpr const char* names[] = {"contiguous", "transposed", "broadcast", "channels-last"};
  return names[static_cast<std::size_t>(layout)];
}

// [N, C, spatial...]
bool has_channels(const Shape& sizes) { return sizes.rank() == 4 || sizes.rank() == 5; }

const Domain& domain_of(const Row& row, std::size_t input) {
  return row.domains[std::min(input, row.domains.size() - 1)];
}

std::vector<double> samples(const Domain& domain, std::int64_t count, std::uint64_t seed) {
  std::mt19937_64 engine(seed * 7919 + 17);
  const auto uniform = [&] { return static_cast<double>(engine() >> 11) * 0x1p-53; };
  std::vector<double> values(static_cast<std::size_t>(count));
  const double width = domain.high - domain.low;
  for (std::size_t i = 0; i < values.size(); ++i) {
    double& v = values[i];
    if (domain.distinct) {
      v = domain.low + width * (static_cast<double>(i) + 0.25 + 0.5 * uniform()) / static_cast<double>(count);
      continue;
    }
    bool near = true;
    while (near) {
      v = domain.low + width * uniform();
      near = false;
      for (double kink : domain.kinks) near = near || std::abs(v - kink) < 0.05;
    }
  }
  if (domain.distinct) std::shuffle(values.begin(), values.end(), engine);
  return values;
}

// The memory behind an input that will be seen as `sizes` in the given layout.
Shape stored_sizes(Shape sizes, Layout layout) {
  const int rank = sizes.rank();
  if (layout == Layout::transposed && rank >= 2) std::swap(sizes[rank - 1], sizes[rank - 2]);
  if (layout == Layout::broadcast && rank >= 1 && sizes[0] > 0) sizes[0] = 1;
  if (layout == Layout::channels_last && has_channels(sizes)) {
    const std::int64_t channels = sizes[1];
    sizes.erase(1);
    sizes.push_back(channels);
  }
  return sizes;
}

Tensor laid_out(const Tensor& stored, const Shape& sizes, Layout layout) {
  if (layout == Layout::transposed && sizes.rank() >= 2) return stored.transpose(-1, -2);
  if (layout == Layout::broadcast && sizes.rank() >= 1) return stored.expand(sizes);
  if (layout == Layout::channels_last && has_channels(sizes)) {
    return stored.permute(sizes.rank() == 4 ? Shape{0, 3, 1, 2} : Shape{0, 4, 1, 2, 3});
  }
  return stored;
}

bool layout_applies(const Row& row, const Sizes& sizes, Layout layout) {
  if (layout == Layout::contiguous) return true;
  if (layout == Layout::broadcast && !row.broadcasts) return false;
  if (layout == Layout::channels_last) return std::any_of(sizes.begin(), sizes.end(), has_channels);
  for (const Shape& s : sizes)
    if (!(stored_sizes(s, layout) == s) || (layout == Layout::transposed && s.rank() >= 2)) return true;
  return false;
}

Inputs stored_inputs(const Row& row, const Sizes& sizes, Layout layout) {
  Inputs inputs;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const Shape stored = stored_sizes(sizes[i], layout);
    inputs.push_back(tensor(samples(domain_of(row, i), stored.numel(), i + 1), stored, {.dtype = kFloat64}));
  }
  return inputs;
}

Function with_layout(const Row& row, const Sizes& sizes, Layout layout) {
  return [&row, sizes, layout](const Inputs& stored) {
    Inputs inputs;
    for (std::size_t i = 0; i < sizes.size(); ++i) inputs.push_back(laid_out(stored[i], sizes[i], layout));
    return row.fn(inputs);
  };
}

std::string described(const Sizes& sizes, Layout layout) {
  std::string text = name_of(layout);
  for (const Shape& s : sizes) text += " " + to_string(s);
  return text;
}

bool same(double a, double b, double tolerance) {
  if (std::isnan(b)) return std::isnan(a);
  return a == b || std::abs(a - b) <= tolerance;
}

class OpTable : public testing::TestWithParam<std::size_t> {
 protected:
  const Row& row() const { return op_table()[GetParam()]; }

  // Calls check(sizes, layout) for each that applies.
  void for_all(const std::function<void(const Sizes&, Layout)>& check) const {
    for (const Sizes& sizes : row().cases) {
      for (Layout layout : kLayouts) {
        if (!layout_applies(row(), sizes, layout)) continue;
        SCOPED_TRACE(described(sizes, layout));
        check(sizes, layout);
      }
    }
  }
};

TEST_P(OpTable, GivesTheReferencesValues) {
  for_all([&](const Sizes& sizes, Layout layout) {
    const Inputs stored = stored_inputs(row(), sizes, layout);
    const Tensor y = with_layout(row(), sizes, layout)(stored);
    if (!row().reference) return;
    std::vector<Plain> plain;
    for (std::size_t i = 0; i < sizes.size(); ++i)
      plain.push_back({sizes[i], laid_out(stored[i], sizes[i], layout).to_vector<double>()});
    const Plain expected = row().reference(plain);
    ASSERT_EQ(to_string(y.sizes()), to_string(expected.sizes));
    const auto values = y.to_vector<double>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      ASSERT_TRUE(same(values[i], expected.values[i], 1e-12 + 1e-12 * std::abs(expected.values[i])))
          << "element " << i << ": " << values[i] << ", the reference gives " << expected.values[i];
    }
  });
}

TEST_P(OpTable, GradientAgreesWithFiniteDifferences) {
  if (!row().differentiable) GTEST_SKIP() << "not differentiable";
  for_all([&](const Sizes& sizes, Layout layout) {
    Inputs stored = stored_inputs(row(), sizes, layout);
    for (Tensor& x : stored) x.requires_grad_();
    const Function fn = with_layout(row(), sizes, layout);
    EXPECT_TRUE(fn(stored).requires_grad()) << "the result has no graph";
    EXPECT_TRUE(gradcheck(fn, stored));
    // Each input alone too: what is saved and computed depends on which gradients are wanted.
    for (std::size_t i = 0; i < stored.size() && stored.size() > 1; ++i) {
      for (std::size_t j = 0; j < stored.size(); ++j) stored[j].requires_grad_(i == j);
      EXPECT_TRUE(gradcheck(fn, stored)) << "with a gradient for this input only";
    }
  });
}

TEST_P(OpTable, SecondGradientAgreesWithFiniteDifferences) {
  if (!row().differentiable) GTEST_SKIP() << "not differentiable";
  for_all([&](const Sizes& sizes, Layout layout) {
    Inputs stored = stored_inputs(row(), sizes, layout);
    for (Tensor& x : stored) x.requires_grad_();
    EXPECT_TRUE(gradgradcheck(with_layout(row(), sizes, layout), stored));
  });
}

// --- instruction sets ---

struct RestoreIsa {
  cpu::Isa previous = cpu::current_isa();
  ~RestoreIsa() { cpu::set_isa(previous); }
};

enum class Access { contiguous, misaligned, strided, broadcast, channels_last };

// A tensor of the given values in the given kind of memory.
Tensor placed(const std::vector<double>& values, const Shape& sizes, Dtype dtype, Access access) {
  const Tensor x = tensor(values, sizes, {.dtype = dtype});
  const std::int64_t n = x.numel();
  if (access == Access::misaligned) {
    Tensor buffer = zeros({n + 1}, {.dtype = dtype});
    Tensor y = buffer.narrow(0, 1, n).view(sizes);
    return y.copy_(x);
  }
  if (access == Access::strided && sizes.rank() >= 1) {
    Shape wide = sizes;
    wide.push_back(3);
    Tensor y = zeros(wide, {.dtype = dtype}).select(-1, 1);
    return y.copy_(x);
  }
  if (access == Access::channels_last && has_channels(sizes)) {
    return laid_out(empty(stored_sizes(sizes, Layout::channels_last), {.dtype = dtype}), sizes, Layout::channels_last)
        .copy_(x);
  }
  if (access == Access::broadcast && sizes.rank() >= 1 && sizes[0] > 0) return x.narrow(0, 0, 1).expand(sizes);
  return x;
}

struct Outcome {
  std::vector<std::vector<double>> values;  // the result, then the gradients
};

Outcome outcome(const Row& row, Inputs inputs) {
  Outcome result;
  for (Tensor& x : inputs) x = x.detach();
  if (row.differentiable)
    for (Tensor& x : inputs) x.requires_grad_();
  const Tensor y = row.fn(inputs);
  result.values.push_back(y.to_vector<double>());
  if (!row.differentiable || !y.requires_grad()) return result;
  const Tensor weights = fixed_weights(y.sizes()).to(y.dtype());
  for (const Tensor& g : autograd::grad({y}, inputs, {weights}, {.allow_unused = true}))
    if (g.defined()) result.values.push_back(g.to_vector<double>());
  return result;
}

void compare(const Row& row, const Outcome& got, const Outcome& base, Dtype dtype) {
  const double unit = dtype == kFloat32 ? 0x1p-23 : 0x1p-52;
  ASSERT_EQ(got.values.size(), base.values.size());
  for (std::size_t k = 0; k < got.values.size(); ++k) {
    ASSERT_EQ(got.values[k].size(), base.values[k].size());
    for (std::size_t i = 0; i < got.values[k].size(); ++i) {
      const double a = got.values[k][i], b = base.values[k][i];
      const double scale = std::max({std::abs(b), row.scale, k > 0 ? 1.0 : 0.0});
      ASSERT_TRUE(same(a, b, row.ulps * unit * scale))
          << (k == 0 ? "result" : "gradient") << ", element " << i << ": " << a << ", expected " << b;
    }
  }
}

TEST_P(OpTable, EveryInstructionSetGivesTheSame) {
  const RestoreIsa restore;
  std::vector<Sizes> all;
  if (row().lengths) {
    for (std::int64_t n : {0, 1, 7, 8, 9, 15, 16, 17, 63, 64, 65, 1000}) all.push_back(row().lengths(n));
  } else {
    all = row().cases;
  }
  for (const Sizes& sizes : all) {
    for (Access access :
         {Access::contiguous, Access::misaligned, Access::strided, Access::broadcast, Access::channels_last}) {
      if (access == Access::broadcast && !row().broadcasts) continue;
      if (access == Access::channels_last && std::none_of(sizes.begin(), sizes.end(), has_channels)) continue;
      for (Dtype dtype : {kFloat32, kFloat64}) {
        SCOPED_TRACE(described(sizes, Layout::contiguous) + ", access " + std::to_string(static_cast<int>(access)) +
                     ", " + to_string(dtype));
        Inputs inputs, exact;
        for (std::size_t i = 0; i < sizes.size(); ++i) {
          const auto values = samples(domain_of(row(), i), sizes[i].numel(), i + 1);
          inputs.push_back(placed(values, sizes[i], dtype, access));
          exact.push_back(inputs.back().to(kFloat64));
        }
        cpu::set_isa(cpu::Isa::base);
        const Outcome base = outcome(row(), inputs);
        // float32 against the same in float64, which the reference vouches for.
        if (dtype == kFloat32) compare(row(), base, outcome(row(), exact), dtype);
        for (cpu::Isa isa : {cpu::Isa::v3, cpu::Isa::v4}) {
          cpu::set_isa(isa);
          if (cpu::current_isa() != isa) continue;  // not on this machine
          SCOPED_TRACE(isa == cpu::Isa::v3 ? "v3" : "v4");
          compare(row(), outcome(row(), inputs), base, dtype);
        }
        if (HasFatalFailure()) return;
      }
    }
  }
}

// --- another device: the emulated one, or a GPU ---

struct Everything {
  std::vector<std::string> what;
  std::vector<std::vector<double>> values;  // the result, the gradients, the gradients of these
};

Everything everything(const Row& row, const Sizes& sizes, Layout layout, Device device) {
  const OnDevice scope(device);
  Everything all;
  const auto add = [&](const std::string& what, const Tensor& x) {
    EXPECT_EQ(to_string(x.device()), to_string(device)) << what;
    all.what.push_back(what);
    all.values.push_back(x.to_vector<double>());
  };
  Inputs stored = stored_inputs(row, sizes, layout);
  for (Tensor& x : stored) x = x.to(device).requires_grad_(row.differentiable);
  const Tensor y = with_layout(row, sizes, layout)(stored);
  add("the result", y.detach());
  if (!row.differentiable || !y.requires_grad()) return all;
  const auto weighed = [&](const Tensor& x, std::uint64_t seed) {
    return (x * fixed_weights(x.sizes(), seed).to(x.device())).sum();
  };
  Tensor sum;
  for (const Tensor& g : autograd::grad({weighed(y, 1)}, stored, {}, {.create_graph = true, .allow_unused = true})) {
    if (!g.defined()) continue;
    add("a gradient", g.detach());
    sum = sum.defined() ? sum + weighed(g, 2) : weighed(g, 2);
  }
  if (!sum.defined() || !sum.requires_grad()) return all;
  for (const Tensor& g : autograd::grad({sum}, stored, {}, {.allow_unused = true}))
    if (g.defined()) add("a second gradient", g);
  return all;
}

TEST_P(OpTable, ADeviceGivesTheSame) {
  for_all([&](const Sizes& sizes, Layout layout) {
    const Everything there = everything(row(), sizes, layout, tested_device()),
                     here = everything(row(), sizes, layout, kCPU);
    ASSERT_EQ(there.what, here.what);
    for (std::size_t k = 0; k < here.values.size(); ++k) {
      ASSERT_EQ(there.values[k].size(), here.values[k].size());
      for (std::size_t i = 0; i < here.values[k].size(); ++i) {
        const double a = there.values[k][i], b = here.values[k][i];
        ASSERT_TRUE(same(a, b, 1e-9 + 1e-9 * std::abs(b)))
            << here.what[k] << ", element " << i << ": " << a << ", the CPU's " << b;
      }
    }
  });
}

std::string test_name(const testing::TestParamInfo<std::size_t>& info) {
  std::string name = op_table()[info.param].name;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return std::to_string(info.param) + "_" + name;
}

INSTANTIATE_TEST_SUITE_P(All, OpTable, testing::Range<std::size_t>(0, op_table().size()), test_name);

// --- every declared operation has a row ---

// Names of the functions a header declares, by what begins their lines.
std::set<std::string> declared_functions(const std::string& header) {
  std::ifstream in(source_path(header));
  EXPECT_TRUE(in.good()) << header;
  std::set<std::string> names;
  std::string line;
  while (std::getline(in, line)) {
    for (const std::string type :
         {"Tensor ", "bool ", "Dtype ", "std::vector<Tensor> ", "std::pair<Tensor, Tensor> "}) {
      if (line.compare(0, type.size(), type) != 0) continue;
      const std::size_t open = line.find('(', type.size());
      if (open != std::string::npos) names.insert(line.substr(type.size(), open - type.size()));
    }
  }
  return names;
}

TEST(OpTableItself, HasARowForEveryDeclaredOperation) {
  std::set<std::string> exempt = {
      "result_type",  // a rule about types: promotion_test.cpp
      "number",       // makes a tensor of a number, as full does
      "equal",        // its result is a bool
      "allclose",     // its result is a bool
      "nonzero",      // positions, as many as the values decide
      "one_hot",      // from integers to integers
      "argsort",      // positions: the index half of sort
      "multinomial",  // random positions: further_test.cpp
      "to",           // to a device: pinning_test.cpp
      "pin_memory",   // the same values elsewhere: pinning_test.cpp
      "is_pinned",    // its result is a bool
  };
  // Indices, constants and random numbers: arranging/*_test.cpp.
  exempt.insert({"tril_indices", "triu_indices", "nonzero_numpy", "isin", "searchsorted", "bucketize", "logspace",
                 "bartlett_window", "blackman_window", "hamming_window", "hann_window", "randint_like", "bernoulli",
                 "normal"});
  exempt.insert({"from_blob", "tensor"});  // from memory and from lists
  std::set<std::string> rows;
  for (const Row& row : op_table()) rows.insert(row.name.substr(0, row.name.find(' ')));
  std::set<std::string> declared = declared_functions("include/gradus/ops.h");
  EXPECT_GT(declared.size(), 100u);
  declared.merge(declared_functions("include/gradus/nn/functional.h"));
  for (const auto& header : std::filesystem::directory_iterator(source_path("include/gradus/ops")))
    declared.merge(declared_functions("include/gradus/ops/" + header.path().filename().string()));
  for (const std::string& name : declared)
    EXPECT_TRUE(rows.count(name) || exempt.count(name)) << name << " has no row in tests/ops/rows/rows_*.cpp";
  for (const std::string& name : rows) EXPECT_TRUE(declared.count(name)) << name << " is not declared";
  for (const std::string& name : exempt) EXPECT_TRUE(declared.count(name)) << name << " is not declared";
}

TEST(OpTableItself, TriesEmptyAndOneElementInputs) {
  std::set<std::string> all, empty, one;
  for (const Row& row : op_table()) {
    EXPECT_FALSE(row.cases.empty()) << row.name;
    if (!row.differentiable) continue;
    const std::string name = row.name.substr(0, row.name.find(' '));
    all.insert(name);
    for (const Sizes& sizes : row.cases) {
      bool all_one = true;
      for (const Shape& s : sizes) {
        if (s.numel() == 0) empty.insert(name);
        all_one = all_one && s.numel() == 1;
      }
      if (all_one) one.insert(name);
    }
  }
  // One element has no variance; its deviation from the mean is 0, where the root has no slope.
  one.insert({"var", "std", "std_mean", "corrcoef", "group_norm"});
  // A position in an image has two coordinates, a vector in space three.
  one.insert({"affine_grid", "grid_sample", "cross"});
  EXPECT_EQ(all, empty);
  EXPECT_EQ(all, one);
}

}  // namespace
}  // namespace gradus::test
