#include "kernels/onednn/gemm.h"

#include <dnnl.h>

#include <array>
#include <map>
#include <mutex>

#include "core/threads/openmp.h"
#include "kernels/onednn/describe.h"
#include "kernels/onednn/plan.h"

namespace gradus::onednn {

namespace {

using dnnl::memory;
using std::int64_t;

constexpr std::size_t kMostProducts = 4096;

// m, n, k, lda, ldb, ldc; whether A and B are transposed, whether C is float32.
using Sizes = std::array<int64_t, 9>;

struct MatrixProduct {
  dnnl::matmul primitive;
  memory::desc a, b, c, scratchpad;
};

std::shared_ptr<const MatrixProduct> make_product(const Sizes& s) {
  const auto [m, n, k, lda, ldb, ldc, trans_a, trans_b, wide] = s;
  const auto half = memory::data_type::bf16;
  const auto strides = [](bool trans, int64_t ld) { return trans ? memory::dims{1, ld} : memory::dims{ld, 1}; };
  auto product = std::make_shared<MatrixProduct>();
  product->a = {{m, k}, half, strides(trans_a != 0, lda)};
  product->b = {{k, n}, half, strides(trans_b != 0, ldb)};
  product->c = {{m, n}, wide != 0 ? memory::data_type::f32 : half, strides(false, ldc)};
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  try {
    const auto pd = describe<dnnl::matmul>(engine(), attr, product->a, product->b, product->c);
    if (!is_good(pd.impl_info_str())) return nullptr;
    product->primitive = dnnl::matmul(pd);
    product->scratchpad = pd.scratchpad_desc();
    return product;
  } catch (const dnnl::error&) {
    return nullptr;
  }
}

std::shared_ptr<const MatrixProduct> product_of(const Sizes& sizes) {
  static std::mutex mutex;
  static std::map<Sizes, std::shared_ptr<const MatrixProduct>> products;
  const std::lock_guard lock(mutex);
  if (const auto found = products.find(sizes); found != products.end()) return found->second;
  if (products.size() >= kMostProducts) products.clear();
  return products[sizes] = make_product(sizes);
}

}  // namespace

bool gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t lda,
          const float* b, int64_t ldb, float beta, float* c, int64_t ldc) {
  return dnnl_sgemm(trans_a ? 'T' : 'N', trans_b ? 'T' : 'N', m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) ==
         dnnl_success;
}

bool gemm_bfloat16(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, const void* a, int64_t lda,
                   const void* b, int64_t ldb, Dtype c_dtype, void* c, int64_t ldc) {
  const core::OneOpenMPThread guard;
  const auto product = product_of({m, n, k, lda, ldb, ldc, trans_a, trans_b, c_dtype == kFloat32});
  if (!product) return false;
  const kernel::Scratch<std::byte> scratch(static_cast<int64_t>(product->scratchpad.get_size()));
  product->primitive.execute(stream(), {{DNNL_ARG_SRC, at(product->a, a)},
                                        {DNNL_ARG_WEIGHTS, at(product->b, b)},
                                        {DNNL_ARG_DST, at(product->c, c)},
                                        {DNNL_ARG_SCRATCHPAD, at(product->scratchpad, scratch.get())}});
  return true;
}

}  // namespace gradus::onednn
