#include "layer_choice.h"

#include "tsrun/base/error.h"

#include <algorithm>
#include <numeric>

namespace tsrun::layer_scores {

OptionTable layer_options(const std::string& what) {
  return {
      {.name = "layers", .type = OptionType::integer, .doc = "number of trained layers", .required = true, .minimum = 1},
      {.name = "which",
       .type = OptionType::choice,
       .fallback = "most",
       .doc = "trained are the layers with the most, or the least, " + what,
       .choices = {"most", "least"}},
      {.name = "embeddings",
       .type = OptionType::boolean,
       .fallback = false,
       .doc = "train the embeddings too; backward then runs through all layers"},
  };
}

Choice choice_of_layers(const Family& family, const std::vector<double>& scores, const std::string& score, const Options& options,
                        const std::string& who) {
  const auto count = options.integer("layers");
  if (count > static_cast<int64_t>(scores.size())) user_error("{}: option 'layers' is {}, the model has {}", who, count, scores.size());
  std::vector<int> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  const bool most = options.text("which") == "most";
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    const double x = scores[static_cast<size_t>(a)], y = scores[static_cast<size_t>(b)];
    return most ? x > y : x < y;
  });
  const std::set<int> layers(order.begin(), order.begin() + count);
  return {scope_of_layers(family, layers, options.flag("embeddings")), {{"layers", {{score, scores}}}, {"trained_layers", layers}}};
}

OptionTable row_options(int64_t rows, int64_t at_once) {
  return {
      {.name = "rows", .type = OptionType::integer, .fallback = rows, .doc = "training rows looked at, drawn from the seed", .minimum = 1},
      {.name = "rows_at_once", .type = OptionType::integer, .fallback = at_once, .doc = "rows of one pass", .minimum = 1},
  };
}

std::vector<std::vector<int64_t>> drawn_batches(const Probe& probe, Key key, int64_t rows, int64_t at_once) {
  const std::vector<int64_t> order = permutation(key, probe.rows());
  const size_t count = std::min(order.size(), static_cast<size_t>(rows)), size = static_cast<size_t>(at_once);
  std::vector<std::vector<int64_t>> batches;
  for (size_t i = 0; i < count; i += size)
    batches.emplace_back(order.begin() + static_cast<int64_t>(i), order.begin() + static_cast<int64_t>(std::min(i + size, count)));
  return batches;
}

}  // namespace tsrun::layer_scores
