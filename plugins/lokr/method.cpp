#include "method.h"

#include "tsrun/base/operators.h"

#include <algorithm>

namespace tsrun::lokr {
namespace {

/// `width` as a product of two, the smaller first: with `factor` where that divides it (then in this order), else of the divisors up to
/// `factor` (-1: all) the one before which the two come together.
std::pair<int64_t, int64_t> two_factors(int64_t width, int64_t factor) {
  if (factor > 0 && width % factor == 0) return {factor, width / factor};
  const int64_t most = factor == -1 ? width : factor;
  int64_t best = 1;
  for (int64_t divisor = 2; divisor <= most && best < width / best; ++divisor)
    if (width % divisor == 0) best = divisor;
  return {std::min(best, width / best), std::max(best, width / best)};
}

/// The two matrices of a Kronecker product [a c, b d], and whether each is whole or itself a product of rank r.
struct Shapes {
  std::pair<int64_t, int64_t> rows, columns;
  RankAndScale rank;
  bool whole_first = true, whole_second = true;

  Shapes(const LinearModule& module, RankAndScale given, bool decompose_both, int64_t factor)
      : rows(two_factors(module.outputs, factor)), columns(two_factors(module.inputs, factor)), rank(given) {
    whole_first = !(decompose_both && 2 * rank.rank < std::max(rows.first, columns.first));
    whole_second = 2 * rank.rank >= std::max(rows.second, columns.second);
  }
};

class LoKr final : public WeightUpdate {
 public:
  LoKr(std::vector<Target> targets, const Family& family, const Options& options)
      : WeightUpdate("lokr", std::move(targets), Side::weight, lycoris_dropout(options)), init_(options.text("init_weights")) {
    const auto ranks = ranks_of(this->targets(), family, options, "lokr");
    for (const auto& [pattern, module] : this->targets())
      shapes_.emplace(module.name,
                      Shapes(module, ranks.at(module.name), options.flag("decompose_both"), options.integer("decompose_factor")));
  }

  std::vector<DeltaTensor> tensors() const override {
    std::vector<DeltaTensor> tensors;
    for (const auto& [pattern, module] : targets()) {
      const Shapes& shapes = shapes_.at(module.name);
      const int64_t rank = shapes.rank.rank;
      add(tensors, module, "w1", {shapes.rows.first, shapes.columns.first}, shapes.whole_first ? 0 : rank, init_ == "first" ? "_a" : "");
      add(tensors, module, "w2", {shapes.rows.second, shapes.columns.second}, shapes.whole_second ? 0 : rank,
          init_ == "lycoris" ? "_b" : "");
    }
    return tensors;
  }

  bool starts_as_identity() const override { return init_ != "random"; }

  UpdateFactors factors(const Target& target, const Weights& weights) const override {
    return {at::kron(matrix(target, weights, "w1"), matrix(target, weights, "w2")) * shapes_.at(target.module.name).rank.scale};
  }

 private:
  /// A whole matrix (rank 0) or its factors; `zeros` names the factor that starts at zero, or, of a whole one, that it does.
  void add(std::vector<DeltaTensor>& tensors, const LinearModule& module, const std::string& name, std::vector<int64_t> shape, int64_t rank,
           const std::string& zero) const {
    const auto one = [&](const std::string& end, std::vector<int64_t> own, bool zeros) {
      const double bound = linear_bound(own[1]);
      tensors.push_back({module.name + ".lokr_" + name + end, std::move(own), module.layer,
                         zeros ? DeltaTensor::Init::zeros : DeltaTensor::Init::uniform, bound});
    };
    if (rank == 0) return one("", std::move(shape), !zero.empty());
    one("_a", {shape[0], rank}, zero == "_a");
    one("_b", {rank, shape[1]}, zero == "_b");
  }

  static at::Tensor matrix(const Target& target, const Weights& weights, const std::string& name) {
    const std::string whole = target.module.name + ".lokr_" + name;
    const at::Tensor* found = weights.find(whole);
    return found ? *found : at::matmul(weights.at(whole + "_a"), weights.at(whole + "_b"));
  }

  std::string init_;
  std::map<std::string, Shapes> shapes_;
};

}  // namespace

Method::Method()
    : LycorisMethod({.type = "LOKR",
                     .fields = {"r", "alpha", "rank_dropout", "module_dropout", "rank_dropout_scale", "decompose_both", "decompose_factor"},
                     .endings = {".lokr_w1", ".lokr_w1_a"},
                     .patterns = {"rank_pattern", "alpha_pattern"},
                     .of_transposed = false},
                    Rescaling::optional) {}

OptionTable Method::own_options() const {
  return {
      {.name = "decompose_both",
       .type = OptionType::boolean,
       .fallback = false,
       .doc = "The first, smaller matrix is of low rank too, where that makes it smaller."},
      {.name = "decompose_factor",
       .type = OptionType::integer,
       .fallback = -1,
       .doc = "Rows and columns of the first matrix, or a bound of them where it does not divide the layer's; -1: near the square root.",
       .minimum = -1},
      {.name = "init_weights",
       .type = OptionType::choice,
       .fallback = "first",
       .doc = "What starts at zero: the first matrix (PEFT's true), the second as LyCORIS has it, or nothing (random, PEFT's false).",
       .choices = {"first", "lycoris", "random"}},
  };
}

std::unique_ptr<Delta> Method::update(std::vector<Target> targets, const Family& family, const Options& options) const {
  return std::make_unique<LoKr>(std::move(targets), family, options);
}

}  // namespace tsrun::lokr
