#pragma once

#include "parity.h"
#include "tsrun/base/parallel.h"

/// Small AWD-LSTMs and their batches.
namespace tsrun {

inline const HeadSpec next_word{HeadKind::causal_lm, 0};

inline PackedBatch batch_of(const std::vector<int64_t>& ids, const std::vector<int64_t>& offsets) {
  PackedRows rows;
  rows.ids = ids;
  rows.segments = rows.positions = std::vector<int64_t>(ids.size(), 0);
  rows.offsets = offsets;
  return to_device(rows, {}, at::kCPU);
}

/// A small model whose dropouts are given, in training.
struct Dropping {
  Output run() const { return model.family->forward(model.weights, batch, options); }
  Model model;
  PackedBatch batch = batch_of({3, 5, 3, 7, 9, 3, 5, 11, 2, 29, 3, 8}, {0, 5, 8, 12});
  ForwardOptions options;
};

inline Dropping dropping_by(const nlohmann::json& dropouts, const HeadSpec& head = next_word) {
  nlohmann::json config = {{"model_type", "awd_lstm"}, {"vocab_size", 30},       {"embedding_size", 40},  {"hidden_size", 32},
                           {"num_hidden_layers", 2},   {"embedding_dropout", 0}, {"input_dropout", 0},    {"hidden_dropout", 0},
                           {"output_dropout", 0},      {"weight_dropout", 0},    {"initializer_range", 1}};
  config.update(dropouts);
  set_threads(1);
  Dropping made;
  made.model = initialise_model(config, head, nullptr, Key::root(1));
  for (const std::string& name : made.model.weights.names())
    made.model.weights.set(name, made.model.weights.at(name).clone().requires_grad_());
  made.options.training = true;
  made.options.dropout = Key::root(7);
  return made;
}

/// Without dropout.
inline Dropping plain_model(const nlohmann::json& config = nlohmann::json::object()) {
  Dropping plain = dropping_by(config);
  plain.options.training = false;
  return plain;
}

}  // namespace tsrun
