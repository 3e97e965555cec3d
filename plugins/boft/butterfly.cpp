#include "butterfly.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

namespace tsrun::boft {
namespace {

/// Within groups of `group` features, cut into pieces of `piece`: the even pieces, then the odd ones.
at::Tensor even_pieces_first(int64_t width, int64_t group, int64_t piece) {
  std::vector<int64_t> order;
  for (int64_t begin = 0; begin < width; begin += group)
    for (const int64_t parity : {0, 1})
      for (int64_t p = parity; p < group / piece; p += 2)
        for (int64_t i = 0; i < piece; ++i) order.push_back(begin + p * piece + i);
  return at::tensor(order, at::kLong);
}

}  // namespace

Butterfly Butterfly::of(const LinearModule& module, int64_t size, int64_t blocks, int64_t factors) {
  if ((size == 0) == (blocks == 0))
    user_error("boft: boft_block_size is {} and boft_block_num {}; expected one of them to be 0, as their product is a layer's inputs",
               size, blocks);
  const int64_t given = size + blocks;
  if (module.inputs % given != 0)
    user_error("boft: {} has {} inputs, which {} does not divide; expected a divisor as {}", module.name, module.inputs, given,
               size > 0 ? "boft_block_size" : "boft_block_num");
  Butterfly butterfly{factors, size > 0 ? module.inputs / size : blocks, blocks > 0 ? module.inputs / blocks : size, {}, {}};
  if (factors > 1 && (butterfly.size % 2 != 0 || butterfly.blocks % (int64_t{1} << (factors - 1)) != 0))
    user_error(
        "boft: {} blocks of {} features for {} do not make a butterfly of {} factors; expected a multiple of {} blocks of an even size",
        butterfly.blocks, butterfly.size, module.name, factors, int64_t{1} << (factors - 1));
  for (int64_t i = 0; i < factors; ++i) {
    const int64_t group = butterfly.size << i;
    butterfly.order.push_back(factors == 1 ? at::arange(module.inputs, at::kLong)
                                           : even_pieces_first(module.inputs, group, butterfly.size / 2));
    butterfly.back.push_back(at::argsort(butterfly.order.back()));
  }
  return butterfly;
}

at::Tensor Butterfly::turned(const at::Tensor& weight, const at::Tensor& rotations) const {
  at::Tensor w = weight;
  for (int64_t i = 0; i < factors; ++i) {
    const auto at_factor = static_cast<size_t>(i);
    const at::Tensor parts = w.index_select(1, back[at_factor].to(w.device())).reshape({w.size(0), blocks, size}).transpose(0, 1);
    const at::Tensor mixed = at::matmul(parts, rotations[i].transpose(1, 2)).transpose(0, 1).reshape(w.sizes());
    w = mixed.index_select(1, order[at_factor].to(w.device()));
  }
  return w;
}

at::Tensor cayley(const at::Tensor& numbers) {
  const at::Tensor skew = 0.5 * (numbers - numbers.transpose(-2, -1)), identity = at::eye(numbers.size(-1), numbers.options());
  return at::linalg_solve(identity + skew, identity - skew, /*left=*/false);
}

}  // namespace tsrun::boft
