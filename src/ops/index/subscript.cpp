// x[...] for reading and for assignment: integers, slices, Ellipsis, None, masks and index tensors, as in PyTorch.
#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include <algorithm>

#include "autograd/inplace.h"
#include "core/tensor_access.h"
#include "ops/index/positions.h"

namespace gradus {

namespace {

// What is left when integers, slices, Ellipsis and None are done, which makes a view: index tensors in some of its
// dimensions, not yet broadcast.
struct Selection {
  Tensor view;
  Shape dims;  // ascending
  // One per index tensor: int64, contiguous, checked, not negative. A mask's are row-major over all its dimensions.
  std::vector<Tensor> entries;
  Shape extents;  // of each: how many positions there are
};

// In uint8 everything but 0 counts as true.
bool is_mask(const Tensor& x) { return x.dtype() == kBool || x.dtype() == kUInt8; }

// How many dimensions of the tensor one index takes.
int consumed(const Index& index) {
  if (std::holds_alternative<EllipsisType>(index) || std::holds_alternative<NewAxisType>(index)) return 0;
  const auto* t = std::get_if<Tensor>(&index);
  return t != nullptr && is_mask(*t) ? t->sizes().rank() : 1;
}

class Parser {
 public:
  explicit Parser(const Tensor& x) { result_.view = x; }

  Selection parse(const std::vector<Index>& indices) {
    const int rank = result_.view.sizes().rank();
    int taken = 0;
    bool ellipsis = false;
    for (const Index& index : indices) {
      taken += consumed(index);
      ellipsis = ellipsis || std::holds_alternative<EllipsisType>(index);
    }
    if (taken > rank) {
      throw IndexError("index: at most " + std::to_string(rank) + " dimensions can be indexed in sizes " +
                       to_string(result_.view.sizes()) + ", got indices for " + std::to_string(taken));
    }
    for (const Index& index : indices) {
      if (std::holds_alternative<EllipsisType>(index)) {
        // A second one finds nothing left to stand for.
        dim_ += rank - taken;
        taken = rank;
      } else {
        std::visit([this](const auto& i) { take(i); }, index);
      }
    }
    return std::move(result_);
  }

 private:
  void take(std::int64_t i) { result_.view = select(result_.view, dim_, i); }
  void take(const Slice& s) {
    // A slice of everything leaves the view as it is.
    if (s.start || s.stop || s.step != 1) result_.view = slice(result_.view, dim_, s.start, s.stop, s.step);
    ++dim_;
  }
  void take(EllipsisType) {}
  void take(NewAxisType) { result_.view = unsqueeze(result_.view, dim_++); }
  void take(const Tensor& t) {
    if (is_mask(t)) return take_mask(t);
    if (t.dim() == 0 && is_integral(t.dtype())) {  // a number, so the result is a view
      check_type(t);
      return take(t.item<std::int64_t>());
    }
    check_type(t);
    const std::int64_t size = result_.view.sizes()[dim_];
    add(ops::checked_index("index", t.to(result_.view.device()), size, true), {size});
  }

  void take_mask(const Tensor& mask) {
    Tensor flags = mask.to(kBool);
    if (mask.dim() == 0) {  // a choice between all and nothing, in a dimension of its own
      result_.view = unsqueeze(result_.view, dim_);
      flags = unsqueeze(flags, 0);
    }
    const Shape& sizes = result_.view.sizes();
    for (int d = 0; d < flags.sizes().rank(); ++d) {
      if (flags.sizes()[d] == sizes[dim_ + d]) continue;
      throw IndexError("index: a mask must have the sizes of the dimensions it stands for, got " +
                       to_string(flags.sizes()) + " from dimension " + std::to_string(dim_) + " of " +
                       to_string(sizes));
    }
    add(ops::true_positions(flags.to(result_.view.device())), flags.sizes());
  }

  static void check_type(const Tensor& t) {
    if (t.dtype() == kInt64 || t.dtype() == kInt32) return;
    throw DtypeError(std::string("index: index tensors must be int64, int32, bool or uint8, got ") +
                     to_string(t.dtype()));
  }

  // `sizes`: of the dimensions that the entries stand for.
  void add(Tensor entries, const Shape& sizes) {
    for (int d = 0; d < sizes.rank(); ++d) result_.dims.push_back(dim_++);
    result_.entries.push_back(std::move(entries));
    result_.extents.push_back(sizes.numel());
  }

  Selection result_;
  int dim_ = 0;
};

// A selection by index tensors as one index: its positions over all indexed dimensions, and the sizes it stands for.
struct Joined {
  ops::Picked where;
  Tensor positions;
  Shape sizes;

  explicit Joined(const Selection& s) {
    where.dims = s.dims;
    for (int k = 1; k < s.dims.rank(); ++k) where.in_front = where.in_front || s.dims[k] != s.dims[k - 1] + 1;
    sizes = s.entries[0].sizes();
    for (const Tensor& entries : s.entries) sizes = broadcast_shapes("index", sizes, entries.sizes());
    if (s.entries.size() == 1) {
      positions = view(s.entries[0], {sizes.numel()});
      return;
    }
    check_sizes("index", sizes);
    positions = zeros({sizes.numel()}, {.dtype = kInt64, .device = s.entries[0].device()});
    for (std::size_t k = 0; k < s.entries.size(); ++k)
      positions.mul_(s.extents[static_cast<int>(k)]).add_(reshape(expand(s.entries[k], sizes), {sizes.numel()}));
  }

  // The result's sizes, with the index's own in place of its one dimension; `flat` keeps that one.
  Shape result(const Shape& own, bool flat) const {
    const Shape picked = ops::picked_sizes(own, where, positions.numel());
    if (flat) return picked;
    const int at = where.in_front ? 0 : static_cast<int>(where.dims[0]);
    Shape out;
    for (int d = 0; d < picked.rank(); ++d) {
      if (d != at) {
        out.push_back(picked[d]);
      } else {
        for (const std::int64_t size : sizes) out.push_back(size);
      }
    }
    return out;
  }
};

// As PyTorch: leading dimensions of size 1 that the place does not have are dropped.
Tensor fit_values(const Tensor& values, const Shape& sizes) {
  Shape own = values.sizes();
  while (own.rank() > sizes.rank() && own[0] == 1) own.erase(0);
  const Tensor fitted = own == values.sizes() ? values : view(values, own);
  bool fits = own.rank() <= sizes.rank();
  for (int i = 1; fits && i <= own.rank(); ++i) {
    fits = own[own.rank() - i] == sizes[sizes.rank() - i] || own[own.rank() - i] == 1;
  }
  if (!fits) {
    throw ShapeError("index_put_: values of sizes " + to_string(values.sizes()) + " do not fit a place of sizes " +
                     to_string(sizes));
  }
  return fitted;
}

bool share_memory(const Tensor& a, const Tensor& b) { return a.impl()->storage == b.impl()->storage; }

void put_selected(Tensor& self, const Selection& s, const Tensor& values, bool accumulate) {
  const Joined index(s);
  const Shape sizes = index.result(s.view.sizes(), false), flat = index.result(s.view.sizes(), true);
  const Tensor full = reshape(expand(fit_values(values, sizes), sizes), flat).to(self.dtype());
  Tensor target = s.view;
  if (detail::records_inplace(target, {&full})) {
    detail::commit_inplace("index_put_", target,
                           ops::put("index_put_", target, index.where, index.positions, full, accumulate));
    return;
  }
  detail::check_inplace("index_put_", target);
  // What is written must not be read from while it changes.
  const Tensor from = share_memory(full, target) ? full.clone() : full;
  const Tensor at = share_memory(index.positions, target) ? index.positions.clone() : index.positions;
  ops::put_into(target, index.where, at, from, accumulate);
  detail::bump_version(target);
}

}  // namespace

Tensor index(const Tensor& x, const std::vector<Index>& indices) {
  const Selection s = Parser(x).parse(indices);
  if (s.entries.empty()) return s.view.is_same(x) ? alias(x) : s.view;
  const Joined joined(s);
  const Tensor y = ops::pick("index", s.view, joined.where, joined.positions);
  return joined.sizes.rank() == 1 ? y : view(y, joined.result(s.view.sizes(), false));
}

Tensor Tensor::index(const std::vector<Index>& indices) const { return gradus::index(*this, indices); }

Tensor& Tensor::index_put_(const std::vector<Index>& indices, const Tensor& values, bool accumulate) const {
  Selection s = Parser(self()).parse(indices);
  if (!s.entries.empty()) {
    put_selected(self(), s, values, accumulate);
    return self();
  }
  const Tensor fitted = fit_values(values, s.view.sizes());
  const Tensor from = share_memory(fitted, s.view) ? fitted.clone() : fitted;
  if (accumulate) {
    s.view.add_(from);
  } else {
    s.view.copy_(from);
  }
  return self();
}

void Indexed::store(const Tensor& changed) {
  if (!share_memory(changed, self_)) self_.index_put_(indices_, changed);
}

Indexed Tensor::operator[](const IndexArg& index) const {
  std::vector<Index> indices{index.index};
  Tensor value = this->index(indices);
  return Indexed(std::move(value), *this, std::move(indices));
}

Indexed Tensor::operator[](std::initializer_list<IndexArg> args) const {
  std::vector<Index> indices;
  indices.reserve(args.size());
  for (const IndexArg& arg : args) indices.push_back(arg.index);
  Tensor value = index(indices);
  return Indexed(std::move(value), *this, std::move(indices));
}

}  // namespace gradus
