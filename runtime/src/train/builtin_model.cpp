#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/suggest.h"
#include "tsrun/data/builtin.h"
#include "tsrun/train/pretrain.h"

#include <algorithm>

namespace tsrun {
namespace {

constexpr int64_t kSentences = 40000;
constexpr uint64_t kSeed = 20230523;

// Models like any other of their families, small enough that an epoch of a thousand short rows takes a fraction of a second.
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

nlohmann::json gpt_mini(int64_t vocabulary) {
  return {{"architectures", {"GPT2LMHeadModel"}},
          {"model_type", "gpt2"},
          {"vocab_size", vocabulary},
          {"n_embd", 64},
          {"n_layer", 2},
          {"n_head", 4},
          {"n_inner", 256},
          {"n_positions", 128},
          {"activation_function", "gelu_new"},
          {"embd_pdrop", 0.1},
          {"attn_pdrop", 0.1},
          {"resid_pdrop", 0.1},
          {"initializer_range", 0.1},
          {"layer_norm_epsilon", 1e-5},
          {"pad_token_id", 0}};
}

nlohmann::json t5_mini(int64_t vocabulary) {
  return {{"architectures", {"T5ForConditionalGeneration"}},
          {"model_type", "t5"},
          {"is_encoder_decoder", true},
          {"vocab_size", vocabulary},
          {"d_model", 64},
          {"d_kv", 16},
          {"num_heads", 4},
          {"d_ff", 256},
          {"num_layers", 2},
          {"num_decoder_layers", 2},
          {"feed_forward_proj", "relu"},
          {"relative_attention_num_buckets", 32},
          {"relative_attention_max_distance", 128},
          {"dropout_rate", 0.1},
          {"layer_norm_epsilon", 1e-6},
          {"initializer_factor", 1.0},
          {"tie_word_embeddings", true},
          {"pad_token_id", 0},
          {"decoder_start_token_id", 0}};
}

/// Position embeddings that start as sines and cosines: so small a model finds out about word order several times sooner.
at::Tensor sinusoids(int64_t positions, int64_t width) {
  constexpr double kAmplitude = 0.14, kBase = 100;
  const at::Tensor rates = at::pow(kBase, -at::arange(width / 2, at::kDouble) / (width / 2));
  const at::Tensor angles = at::arange(positions, at::kDouble).unsqueeze(1) * rates;
  return (at::cat({angles.sin(), angles.cos()}, 1) * kAmplitude).to(at::kFloat);
}

/// Recipe of one of them.
struct Recipe {
  std::string name, version;
  nlohmann::json (*config)(int64_t vocabulary);
  HeadKind head;
  std::string places;  ///< position embeddings that start as sinusoids; empty: none
  nlohmann::json schedule;
};

const std::vector<Recipe>& recipes() {
  // Large steps, small batches, many masks, no dropout: what a few seconds of training make the most of.
  static const std::vector<Recipe> all = {
      {"bert-mini",
       "bert-mini 1",
       bert_mini,
       HeadKind::masked_lm,
       "bert.embeddings.position_embeddings.weight",
       {{"steps", 4000}, {"batch_size", 24}, {"lr", 3e-3}, {"masking", 0.25}, {"dropout", false}}},
      {"gpt-mini",
       "gpt-mini 2",
       gpt_mini,
       HeadKind::causal_lm,
       "transformer.wpe.weight",
       {{"steps", 4000}, {"batch_size", 24}, {"lr", 3e-3}, {"dropout", false}}},
      {"t5-mini",
       "t5-mini 2",
       t5_mini,
       HeadKind::seq2seq_lm,
       "",
       {{"steps", 4000}, {"batch_size", 24}, {"lr", 3e-3}, {"masking", 0.25}, {"dropout", false}}},
  };
  return all;
}

const Recipe& recipe_of(const std::string& name) {
  const std::string bare = name.starts_with("builtin:") ? name.substr(8) : name;
  for (const Recipe& recipe : recipes()) {
    if (recipe.name == bare) return recipe;
  }
  const auto& names = builtin_model_names();
  user_error("unknown built-in model '{}'{}; there are {}", name, did_you_mean(bare, names), join_words(names));
}

/// With the ids of the tokenizer's special tokens, as transformers wants them in a config.
nlohmann::json config_of(const Recipe& recipe, const Tokenizer& tokenizer) {
  nlohmann::json config = recipe.config(tokenizer.vocabulary_size());
  if (const auto end = tokenizer.special_id(SpecialToken::end); end && recipe.head != HeadKind::masked_lm) config["eos_token_id"] = *end;
  return config;
}

}  // namespace

const std::vector<std::string>& builtin_model_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Recipe& recipe : recipes()) all.push_back(recipe.name);
    return all;
  }();
  return names;
}

std::string_view builtin_model_version(const std::string& name) { return recipe_of(name).version; }

std::shared_ptr<const Family> builtin_family(const std::string& name) {
  const Recipe& recipe = recipe_of(name);
  return make_family(config_of(recipe, *make_builtin_tokenizer(recipe.name)), HeadSpec{}, name);
}

Model pretrain_builtin(const std::string& name, const std::filesystem::path& work, nlohmann::json* quality) {
  const Recipe& recipe = recipe_of(name);
  std::shared_ptr<const Tokenizer> tokenizer = make_builtin_tokenizer(recipe.name);
  const Key key = Key::root(kSeed).split(recipe.name);
  Model start = initialise_model(config_of(recipe, *tokenizer), {recipe.head, 0}, tokenizer, key.split("initial weights"));
  if (!recipe.places.empty()) start.weights.set(recipe.places, sinusoids(start.family->max_positions(), start.family->hidden_size()));
  PretrainJob job{.start = std::move(start),
                  .lines = make_builtin_corpus(kSentences),
                  .options = pretrain_options().resolve(recipe.schedule, "builtin"),
                  .key = key,
                  .title = "pre-train builtin:" + recipe.name,
                  .work = work};
  PretrainResult result = pretrain(std::move(job));
  if (quality)
    *quality = {{"losses", result.losses}, {"held_out_loss", result.held_out_loss}, {"held_out_accuracy", result.held_out_accuracy}};
  return std::move(result.model);
}

}  // namespace tsrun
