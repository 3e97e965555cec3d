#include "method.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/model.h"
#include "tsrun/model/parts.h"

namespace tsrun::prompt {
namespace {

using nlohmann::json;
constexpr const char* tensor_name = "prompt_embeddings";

class Prompt final : public Delta {
 public:
  /// `words`: the embedding whose rows the first values may be drawn from; none: N(0, deviation).
  Prompt(int64_t tokens, int64_t width, double deviation, std::string words)
      : tokens_(tokens), width_(width), deviation_(deviation), words_(std::move(words)) {}

  std::vector<DeltaTensor> tensors() const override {
    return {{tensor_name, {tokens_, width_}, -1, DeltaTensor::Init::normal, deviation_}};
  }
  std::vector<DeltaMatch> matches() const override { return {{"num_virtual_tokens", "word embeddings", tokens_ * width_}}; }
  bool starts_as_identity() const override { return false; }
  at::Tensor initial(const DeltaTensor& tensor, const Weights& origin, Key key) const override {
    if (words_.empty()) return {};
    const at::Tensor& table = origin.at(words_);
    Stream draw(key.split(tensor.name));
    std::vector<int64_t> rows;
    for (int64_t i = 0; i < tokens_; ++i) rows.push_back(static_cast<int64_t>(draw.below(static_cast<uint64_t>(table.size(0)))));
    return table.detach().index_select(0, at::tensor(rows, at::kLong)).contiguous();
  }
  void install(const Weights& weights, ForwardOptions& forward) const override {
    const at::Tensor& own = weights.at(tensor_name);
    forward.prompt = forward.prompt.defined() ? at::cat({own, forward.prompt}) : own;
  }
  std::string why_not_merged() const override {
    return "its vectors stand in front of every row, and no weight of the model can put them there";
  }

 private:
  int64_t tokens_, width_;
  double deviation_;
  std::string words_;
};

}  // namespace

OptionTable Method::options() const {
  return {
      {.name = "num_virtual_tokens",
       .type = OptionType::integer,
       .fallback = 20,
       .doc = "Length of the prompt.",
       .minimum = 1,
       .maximum = 4096},
      {.name = "prompt_tuning_init",
       .type = OptionType::choice,
       .fallback = "SAMPLE_VOCAB",
       .doc = "Initialisation: random rows of the word embeddings, or N(0, init_std²).",
       .choices = {"SAMPLE_VOCAB", "RANDOM"}},
      {.name = "init_std", .type = OptionType::number, .fallback = 1.0, .doc = "Standard deviation of RANDOM (PEFT: 1).", .minimum = 0},
  };
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  const ParameterInfo* words = word_embeddings(family);
  if (words == nullptr) user_error("prompt: a model of type '{}' has no word embeddings", family.model_type());
  const int64_t tokens = options.integer("num_virtual_tokens");
  if (tokens >= family.max_positions())
    user_error("prompt: num_virtual_tokens is {}, expected fewer than the model's {} positions", tokens, family.max_positions());
  const bool sampled = options.text("prompt_tuning_init") == "SAMPLE_VOCAB";
  return std::make_unique<Prompt>(tokens, words->shape[1], options.number("init_std"), sampled ? words->name : "");
}

std::optional<PeftType> Method::peft_type() const {
  return PeftType{.name = "PROMPT_TUNING",
                  .honoured = {"num_virtual_tokens"},
                  .idle = {"token_dim", "num_transformer_submodules", "num_attention_heads", "num_layers", "prompt_tuning_init",
                           "prompt_tuning_init_text", "tokenizer_name_or_path", "tokenizer_kwargs", "init_weights"}};
}

/// PEFT saves as many vectors again for a decoder that they do not reach.
PeftTensor Method::tensor_from_peft(PeftTensor tensor, const Delta& delta, const Family& /*family*/) const {
  const int64_t tokens = delta.tensors().front().shape[0];
  if (tensor.name == tensor_name && tensor.value.dim() == 2 && tensor.value.size(0) == 2 * tokens)
    tensor.value = tensor.value.narrow(0, 0, tokens);
  return tensor;
}

PeftFolder Method::to_peft(const Delta& /*delta*/, const Options& options, const Model& model) const {
  // One count, whatever the model: PEFT's default for an encoder-decoder is two, of which it uses the first alone.
  return {.config = {{"peft_type", "PROMPT_TUNING"},
                     {"num_virtual_tokens", options.integer("num_virtual_tokens")},
                     {"prompt_tuning_init", "RANDOM"},
                     {"num_transformer_submodules", 1}},
          .tensors = {{tensor_name, model.weights.at(tensor_name)}},
          .prompt_learning = true};
}

json Method::options_from_peft(const nlohmann::ordered_json& config) const {
  const json tokens = config.value("num_virtual_tokens", nlohmann::ordered_json());
  if (tokens.is_null()) user_error("prompt: num_virtual_tokens is missing, expected the number of vectors in front of a row");
  return {{"num_virtual_tokens", tokens}};
}

}  // namespace tsrun::prompt
