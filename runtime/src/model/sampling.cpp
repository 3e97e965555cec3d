#include "model/sampling.h"

#include "tsrun/base/error.h"
#include "tsrun/model/generation_config.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tsrun {
namespace {

/// Tokens in the order of their scores, highest first; equals by id.
std::vector<int64_t> ranked(std::span<const float> scores) {
  std::vector<int64_t> ids(scores.size());
  std::iota(ids.begin(), ids.end(), int64_t{0});
  std::stable_sort(ids.begin(), ids.end(),
                   [&](int64_t a, int64_t b) { return scores[static_cast<size_t>(a)] > scores[static_cast<size_t>(b)]; });
  return ids;
}

/// exp((score − highest) / temperature) of each of `ids`.
std::vector<double> weights_of(std::span<const float> scores, const std::vector<int64_t>& ids, double temperature) {
  const double highest = *std::max_element(scores.begin(), scores.end());
  std::vector<double> weights;
  for (const int64_t id : ids) weights.push_back(std::exp((scores[static_cast<size_t>(id)] - highest) / temperature));
  return weights;
}

/// The number of leading weights whose sum reaches a share of all.
size_t nucleus(const std::vector<double>& weights, double share) {
  const double enough = share * std::accumulate(weights.begin(), weights.end(), 0.0);
  double sum = 0;
  for (size_t count = 0; count < weights.size(); ++count)
    if ((sum += weights[count]) >= enough) return count + 1;
  return weights.size();
}

}  // namespace

namespace model {

int64_t sampled_token(std::span<const float> scores, const Sampling& sampling, Key key) {
  std::vector<int64_t> ids = ranked(scores);
  if (sampling.top_k > 0 && static_cast<size_t>(sampling.top_k) < ids.size()) ids.resize(static_cast<size_t>(sampling.top_k));
  std::vector<double> weights = weights_of(scores, ids, sampling.temperature);
  if (sampling.top_p < 1) weights.resize(nucleus(weights, sampling.top_p));
  return ids[Stream(key).weighted(weights)];
}

void check_sampling(const Sampling& sampling) {
  if (!(sampling.temperature > 0)) user_error("generate: temperature is {}, expected a number above 0", sampling.temperature);
  if (sampling.top_k < 0) user_error("generate: top_k is {}, expected 0 (all tokens) or more", sampling.top_k);
  if (!(sampling.top_p > 0 && sampling.top_p <= 1)) user_error("generate: top_p is {}, expected a share above 0, up to 1", sampling.top_p);
}

}  // namespace model

OptionTable sampling_options(std::optional<bool> do_sample) {
  const nlohmann::json fallback = do_sample ? nlohmann::json(*do_sample) : nlohmann::json();
  return {
      {.name = "do_sample",
       .type = OptionType::boolean,
       .fallback = fallback,
       .doc = "draw tokens by their probabilities in place of the likeliest"},
      {.name = "temperature", .type = OptionType::number, .doc = "scores of samples are divided by it; absent: 1", .minimum = 1e-6},
      {.name = "top_k",
       .type = OptionType::integer,
       .doc = "samples are of the so many likeliest tokens; absent or 0: of all",
       .minimum = 0},
      {.name = "top_p",
       .type = OptionType::number,
       .doc = "samples are of the fewest tokens with so much of the probability; absent: 1, all",
       .minimum = 1e-6,
       .maximum = 1},
  };
}

std::optional<Sampling> sampling_of(const Options& options, Key key) {
  const bool wanted = options.has("do_sample") && options.flag("do_sample");
  for (const char* name : {"temperature", "top_k", "top_p"})
    if (!wanted && options.has(name))
      user_error("option '{}' is {}, but nothing is sampled; expected do_sample = true", name, options.value(name).dump());
  if (!wanted) return std::nullopt;
  Sampling sampling{.key = key};
  if (options.has("temperature")) sampling.temperature = options.number("temperature");
  if (options.has("top_k")) sampling.top_k = options.integer("top_k");
  if (options.has("top_p")) sampling.top_p = options.number("top_p");
  return sampling;
}

}  // namespace tsrun
