#include "marchenko_pastur.h"
#include "methods.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace tsrun::layer_scores {
namespace {

constexpr double normal_iqr = 1.349;   // of a normal distribution with deviation 1
constexpr double least_noise = 1e-12;  // of the largest value, where none lies below the edge

struct Scored {
  const ParameterInfo* info;
  double score;
};

/// Matrices of the layers, by module, from the highest score to the lowest.
std::map<std::string, std::vector<Scored>> scored_modules(const Family& family, const Weights& weights, at::ScalarType type) {
  std::map<std::string, std::vector<Scored>> modules;
  for (const ParameterInfo& info : family.parameters()) {
    const bool matrix = info.kind == ParameterKind::weight && info.layer >= 0 && info.part != Part::delta && info.shape.size() == 2;
    if (matrix) modules[info.module].push_back({&info, spectral_score(weights.at(info.name).to(at::kCPU, type))});
  }
  for (auto& [module, scored] : modules)
    std::stable_sort(scored.begin(), scored.end(), [](const Scored& a, const Scored& b) { return a.score > b.score; });
  return modules;
}

/// Number of chosen ones of `all`, at least one.
size_t count_of(double share, size_t all) {
  return std::clamp<size_t>(static_cast<size_t>(std::lround(share * static_cast<double>(all))), 1, all);
}

}  // namespace

double spectral_score(const at::Tensor& matrix) {
  const at::Tensor values = at::linalg_svdvals(matrix);
  const double beta =
      static_cast<double>(std::min(matrix.size(0), matrix.size(1))) / static_cast<double>(std::max(matrix.size(0), matrix.size(1)));
  const double spread = (at::quantile(values, 0.75) - at::quantile(values, 0.25)).item<double>();
  const double edge = spread / normal_iqr * (1 + std::sqrt(beta));
  const double largest = values.max().item<double>();
  if (largest <= 0) return 0;
  const at::Tensor above = values > edge;
  const double signal = values.masked_select(above).sum().item<double>();
  const double noise = values.masked_select(above.logical_not()).sum().item<double>();
  return signal / std::max(noise, least_noise * largest) / largest;
}

OptionTable Spectrum::options() const {
  return {
      {.name = "share",
       .type = OptionType::number,
       .fallback = 0.25,
       .doc = "trained share of the matrices of each kind",
       .minimum = 0,
       .maximum = 1},
      {.name = "norms", .type = OptionType::boolean, .fallback = false, .doc = "train the layers' norms; biases go with their matrices"},
      {.name = "embeddings",
       .type = OptionType::boolean,
       .fallback = true,
       .doc = "train the embeddings, as the release does; backward then runs through all layers"},
      {.name = "svd",
       .type = OptionType::choice,
       .fallback = "float32",
       .doc = "type of the singular values",
       .choices = {"float32", "float64"}},
  };
}

std::optional<Choice> Spectrum::choose(const MethodInputs& inputs, const Options& options) const {
  const at::NoGradGuard no_grad;
  const auto modules = scored_modules(inputs.family, inputs.origin, options.text("svd") == "float32" ? at::kFloat : at::kDouble);
  std::set<std::pair<int, std::string>> chosen;
  nlohmann::json scores = nlohmann::json::object();
  const auto layers = static_cast<size_t>(inputs.family.layers());
  std::vector<double> all(layers), shares(layers);
  for (const auto& [module, scored] : modules) {
    scores[module] = std::vector<nlohmann::json>(layers, false);  // a layer without such a matrix
    for (const Scored& one : scored) {
      scores[module][static_cast<size_t>(one.info->layer)] = one.score;
      ++all[static_cast<size_t>(one.info->layer)];
    }
    for (size_t i = 0; i < count_of(options.number("share"), scored.size()); ++i) {
      chosen.emplace(scored[i].info->layer, module);
      ++shares[static_cast<size_t>(scored[i].info->layer)];
    }
  }
  for (size_t layer = 0; layer < layers; ++layer) shares[layer] /= std::max(1.0, all[layer]);
  Scope scope;
  nlohmann::json trained = nlohmann::json::array();
  for (const ParameterInfo& info : inputs.family.parameters()) {
    const bool norm = info.kind == ParameterKind::norm_weight || info.kind == ParameterKind::norm_bias;
    const bool in_layers = info.layer >= 0 && info.part != Part::delta;
    const bool kept = !in_layers || chosen.contains({info.layer, info.module}) || (norm && options.flag("norms"));
    if (!kept || (info.part == Part::embeddings && !options.flag("embeddings"))) scope.parameters[info.name].trained = false;
    if (kept && in_layers && info.shape.size() == 2) trained.push_back(info.name);
  }
  return Choice{scope, {{"layers", scores}, {"trained", trained}, {"trained_share", shares}}};
}

}  // namespace tsrun::layer_scores
