#include "tsrun/plugin_testing/delta.h"

#include "tsrun/base/operators.h"
#include "tsrun/model/model.h"

#include <c10/core/GradMode.h>

namespace tsrun::plugin_testing {
namespace {

constexpr int64_t small_vocabulary = 64;
const std::vector<int64_t> row_lengths = {5, 9, 3}, decoder_row_lengths = {4, 2, 6};

std::vector<int64_t> offsets_of(const std::vector<int64_t>& lengths) {
  std::vector<int64_t> offsets = {0};
  for (const int64_t length : lengths) offsets.push_back(offsets.back() + length);
  return offsets;
}

std::vector<int64_t> made_up_words(uint64_t seed, int64_t count) {
  Stream stream(Key::root(seed));
  std::vector<int64_t> words;
  for (int64_t i = 0; i < count; ++i) words.push_back(2 + static_cast<int64_t>(stream.below(small_vocabulary - 2)));
  return words;
}

at::Tensor integers(const std::vector<int64_t>& values) { return at::tensor(values, at::kLong); }

std::vector<int64_t> cut(const std::vector<int64_t>& offsets, int64_t row) {
  return {0, offsets[static_cast<size_t>(row) + 1] - offsets[static_cast<size_t>(row)]};
}

at::Tensor cut(const at::Tensor& x, const std::vector<int64_t>& offsets, int64_t row) {
  return x.slice(0, offsets[static_cast<size_t>(row)], offsets[static_cast<size_t>(row) + 1]).contiguous();
}

PackedBatch made_up_batch(HeadKind head) {
  PackedBatch batch;
  batch.host_offsets = offsets_of(row_lengths);
  batch.offsets = integers(batch.host_offsets);
  batch.ids = integers(made_up_words(3, batch.host_offsets.back()));
  batch.segments = at::zeros_like(batch.ids);
  std::vector<int64_t> positions;
  for (const int64_t length : row_lengths) {
    for (int64_t i = 0; i < length; ++i) positions.push_back(i);
  }
  batch.positions = integers(positions);
  batch.row_numbers = {0, 1, 2};
  if (head == HeadKind::classification) batch.targets = integers({2, 0, 1});
  if (head == HeadKind::causal_lm) batch.targets = integers(made_up_words(4, batch.host_offsets.back()));
  if (head == HeadKind::seq2seq_lm) {
    batch.decoder_host_offsets = offsets_of(decoder_row_lengths);
    batch.decoder_ids = integers(made_up_words(5, batch.decoder_host_offsets.back()));
    batch.targets = integers(made_up_words(6, batch.decoder_host_offsets.back()));
  }
  return batch;
}

SmallModel made_up_model(const std::string& name, const nlohmann::json& config, const HeadSpec& head) {
  Model model = initialise_model(config, head, nullptr, Key::root(2));
  return {name, model.family, std::move(model.weights), made_up_batch(head.kind)};
}

}  // namespace

SmallModel small_bert() {
  return made_up_model("bert",
                       {{"model_type", "bert"},
                        {"vocab_size", small_vocabulary},
                        {"hidden_size", 24},
                        {"num_hidden_layers", 2},
                        {"num_attention_heads", 3},
                        {"intermediate_size", 40},
                        {"hidden_act", "gelu"},
                        {"hidden_dropout_prob", 0.1},
                        {"attention_probs_dropout_prob", 0.1},
                        {"max_position_embeddings", 64},
                        {"type_vocab_size", 2},
                        {"layer_norm_eps", 1e-12},
                        {"initializer_range", 0.2},
                        {"pad_token_id", 0}},
                       {HeadKind::classification, 3});
}

SmallModel small_gpt2() {
  return made_up_model("gpt2",
                       {{"model_type", "gpt2"},
                        {"vocab_size", small_vocabulary},
                        {"n_embd", 24},
                        {"n_layer", 2},
                        {"n_head", 3},
                        {"n_positions", 64},
                        {"activation_function", "gelu_new"},
                        {"resid_pdrop", 0.1},
                        {"embd_pdrop", 0.1},
                        {"attn_pdrop", 0.1},
                        {"layer_norm_epsilon", 1e-5},
                        {"initializer_range", 0.2},
                        {"tie_word_embeddings", true}},
                       {HeadKind::causal_lm, 0});
}

SmallModel small_t5() {
  return made_up_model("t5",
                       {{"model_type", "t5"},
                        {"vocab_size", small_vocabulary},
                        {"d_model", 24},
                        {"d_kv", 8},
                        {"d_ff", 40},
                        {"num_layers", 2},
                        {"num_decoder_layers", 2},
                        {"num_heads", 3},
                        {"relative_attention_num_buckets", 8},
                        {"relative_attention_max_distance", 12},
                        {"dropout_rate", 0.1},
                        {"layer_norm_epsilon", 1e-6},
                        {"initializer_factor", 1.0},
                        {"feed_forward_proj", "relu"},
                        {"is_encoder_decoder", true},
                        {"pad_token_id", 0},
                        {"eos_token_id", 1},
                        {"decoder_start_token_id", 0},
                        {"tie_word_embeddings", true}},
                       {HeadKind::seq2seq_lm, 0});
}

PackedBatch row_alone(const PackedBatch& batch, int64_t row) {
  PackedBatch one;
  one.ids = cut(batch.ids, batch.host_offsets, row);
  one.segments = cut(batch.segments, batch.host_offsets, row);
  one.positions = cut(batch.positions, batch.host_offsets, row);
  one.host_offsets = cut(batch.host_offsets, row);
  one.offsets = integers(one.host_offsets);
  one.row_numbers = {row};
  if (batch.decoder_ids.defined()) {
    one.decoder_ids = cut(batch.decoder_ids, batch.decoder_host_offsets, row);
    one.decoder_host_offsets = cut(batch.decoder_host_offsets, row);
  }
  return one;
}

Attached attach(const DeltaMethod& method, const SmallModel& model, const nlohmann::json& options, uint64_t seed) {
  Attached result;
  result.delta = method.attach(*model.family, method.options().resolve(options, method.name()));
  result.family = adapt(model.family, {result.delta});
  result.first = model.weights;
  add_initial_values({result.delta}, result.first, Key::root(seed));
  result.random = result.first;
  std::vector<std::string> moved = result.delta->trained_parameters();
  for (const DeltaTensor& tensor : result.delta->tensors()) moved.push_back(tensor.name);
  for (const std::string& name : moved) {
    const at::Tensor& first = result.first.at(name);
    at::Tensor noise = at::empty(first.sizes());
    fill_normal(Key::root(7).split(name), {noise.mutable_data_ptr<float>(), static_cast<size_t>(noise.numel())}, 0, 0, 0.2F);
    result.random.set(name, first + noise);
  }
  return result;
}

at::Tensor logits_of(const Family& family, const Weights& weights, const PackedBatch& batch) {
  const c10::NoGradGuard guard;
  PackedBatch all = batch;
  all.targets = at::Tensor();
  return family.forward(weights, all, {}).logits;
}

}  // namespace tsrun::plugin_testing
