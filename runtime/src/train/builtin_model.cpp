#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"
#include "tsrun/data/builtin.h"
#include "tsrun/train/pretrain.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>

namespace tsrun {
namespace {

constexpr int64_t kSentences = 40000;
constexpr uint64_t kSeed = 20230523;

/// A BERT like any other, small enough that an epoch of a thousand short rows takes a fraction of a second.
nlohmann::json bert_mini(int64_t vocabulary) {
  return {{"architectures", {"BertForMaskedLM"}},
          {"model_type", "bert"},
          {"vocab_size", vocabulary},
          {"hidden_size", 64},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 4},
          {"intermediate_size", 256},
          {"hidden_act", "gelu"},
          {"hidden_dropout_prob", 0.1},
          {"attention_probs_dropout_prob", 0.1},
          {"max_position_embeddings", 128},
          {"type_vocab_size", 2},
          {"initializer_range", 0.1},
          {"layer_norm_eps", 1e-12},
          {"pad_token_id", 0}};
}

/// Position embeddings that start as sines and cosines: so small a model finds out about word order several times sooner.
at::Tensor sinusoids(int64_t positions, int64_t width) {
  constexpr double kAmplitude = 0.14, kBase = 100;
  const at::Tensor rates = at::pow(kBase, -at::arange(width / 2, at::kDouble) / (width / 2));
  const at::Tensor angles = at::arange(positions, at::kDouble).unsqueeze(1) * rates;
  return (at::cat({angles.sin(), angles.cos()}, 1) * kAmplitude).to(at::kFloat);
}

/// Large steps, small batches, many masks, no dropout: what a few seconds of training make the most of.
Options schedule() {
  return pretrain_options().resolve({{"steps", 3000}, {"batch_size", 24}, {"lr", 4e-3}, {"masking", 0.25}, {"dropout", false}}, "builtin");
}

}  // namespace

const std::vector<std::string>& builtin_model_names() {
  static const std::vector<std::string> names = {"bert-mini"};
  return names;
}

std::string_view builtin_model_version() { return "bert-mini 1"; }

Model pretrain_builtin(const std::string& name, nlohmann::json* quality) {
  const auto& names = builtin_model_names();
  const std::string bare = name.starts_with("builtin:") ? name.substr(8) : name;
  if (std::find(names.begin(), names.end(), bare) == names.end()) {
    user_error("unknown built-in model '{}'{}; there is {}", name, did_you_mean(bare, names), join_words(names));
  }
  std::shared_ptr<const Tokenizer> tokenizer = make_builtin_tokenizer();
  const Key key = Key::root(kSeed).split(bare);
  const HeadSpec head{HeadKind::masked_lm, tokenizer->vocabulary_size()};
  Model start = initialise_model(bert_mini(tokenizer->vocabulary_size()), head, tokenizer, key.split("initial weights"));
  start.weights.set("bert.embeddings.position_embeddings.weight", sinusoids(start.family->max_positions(), start.family->hidden_size()));
  PretrainResult result =
      pretrain(std::move(start), make_builtin_corpus(kSentences), schedule(), key, at::kCPU, "pre-train builtin:" + bare);
  if (quality)
    *quality = {{"losses", result.losses}, {"held_out_loss", result.held_out_loss}, {"held_out_accuracy", result.held_out_accuracy}};
  return std::move(result.model);
}

}  // namespace tsrun
