// The AWD-LSTM over a packed batch.
#include "model/awd_lstm.h"
#include "model/initial.h"
#include "model/pass_base.h"
#include "model/recurrent_rows.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/kernels.h"

#include <cmath>

namespace tsrun::model {
namespace {

constexpr int64_t any_length = int64_t{1} << 40;

class AwdLstmPass : public PassBase {
 public:
  AwdLstmPass(const AwdLstmConfig& config, const FamilyFacts& facts, const Weights& weights, const PackedBatch& batch,
              const ForwardOptions& options)
      : PassBase(facts, weights, batch, options), config_(&config), rows_(batch_.host_offsets, batch_.ids.device()) {
    if (options_.precision != Precision::float32)
      user_error("a model of type 'awd_lstm' has no precision 'bf16': its LSTM computes in float32; expected float32");
    if (!options_.attention_prefix.empty())
      user_error("a model of type 'awd_lstm' has no attention, whose keys and values a prefix could stand in front of");
  }

  Output run() const {
    check_batch(batch_, config().vocabulary, 0, any_length);
    at::Tensor hidden = options_.from_hidden.defined() ? options_.from_hidden : record(embeddings());
    std::vector<at::Tensor> state = incoming(hidden);
    for (int64_t layer = options_.from_layer; layer < config().layers && !stops_at(layer); ++layer)
      hidden = record(layer_output(layer, hidden, state));
    Output output;
    output.hidden = hidden;
    if (options_.to_layer >= 0) return output;
    keep(std::move(state), output);
    output.tokens = tokens_read(batch_.host_offsets, /*from_last=*/true);
    if (head().kind == HeadKind::none) return output;
    const at::Tensor read = locked_dropout(hidden, config().output_dropout, draw_key("output"));
    output.logits = logits(only(read, output.tokens));
    return output;
  }

 private:
  const AwdLstmConfig& config() const { return *config_; }

  /// `x` [tokens, width] under one mask of each row for all of its tokens.
  at::Tensor locked_dropout(const at::Tensor& x, double p, Key key) const {
    if (rate(p) == 0) return x;
    return x * rows_.spread(dropout(at::ones({rows_.rows(), x.size(1)}, x.options()), p, key));
  }

  /// Word embeddings without the words that are dropped in this pass.
  at::Tensor embeddings() const {
    at::Tensor x = rows_of("encoder", own_ids());
    if (rate(config().embedding_dropout) > 0) {
      const at::Tensor words = at::ones({config().vocabulary}, x.options());
      x = x * dropout(words, config().embedding_dropout, draw_key("words")).index_select(0, own_ids()).unsqueeze(1);
    }
    return at_site(0, behind_prompt(x));
  }

  /// Of every layer h, c; zeros where a text begins.
  std::vector<at::Tensor> incoming(const at::Tensor& like) const {
    const std::vector<at::Tensor>& given = options_.cache ? options_.cache->state : options_.state;
    const auto count = static_cast<size_t>(2 * config().layers);
    if (!given.empty() && (given.size() != count || given.front().size(0) != rows_.rows()))
      internal_error("a state of {} tensors of {} rows, expected {} of {}", given.size(), given.front().size(0), count, rows_.rows());
    std::vector<at::Tensor> state = given;
    for (int64_t layer = 0; state.size() < count; ++layer)
      for (int part = 0; part < 2; ++part) state.push_back(at::zeros({rows_.rows(), config().width(layer)}, like.options()));
    return state;
  }

  /// Hands on the state behind the batch.
  void keep(std::vector<at::Tensor> state, Output& output) const {
    if (options_.from_layer > 0) return;
    if (!options_.cache) {
      output.state = std::move(state);
      return;
    }
    options_.cache->state = std::move(state);
    options_.cache->advance(batch_.host_offsets);
  }

  /// The layer's output; its entries of `state` are exchanged for those behind the batch.
  at::Tensor layer_output(int64_t layer, const at::Tensor& x, std::vector<at::Tensor>& state) const {
    at::Tensor *hidden = &state[static_cast<size_t>(2 * layer)], *cell = hidden + 1;
    const auto after = std::make_shared<RecurrentRows::Result>();  // what a recomputed layer finds again is the same
    const auto run = [pass = *this, layer, h = *hidden, c = *cell, after](const at::Tensor& again, const Weights& weights) {
      AwdLstmPass other = pass;
      other.weights_ = &weights;
      *after = other.run_layer(layer, again, h, c);
      const at::Tensor output = after->output;
      after->output = at::Tensor();
      return output;
    };
    const at::Tensor output = options_.gradient_checkpointing ? recompute(layer, x, {}, run) : run(x, *weights_);
    *hidden = after->hidden.detach();
    *cell = after->cell.detach();
    return at_site(1 + layer, output);
  }

  RecurrentRows::Result run_layer(int64_t layer, const at::Tensor& x, const at::Tensor& hidden, const at::Tensor& cell) const {
    const std::string prefix = awd_lstm_prefix(layer);
    const at::Tensor entering = locked_dropout(x, layer == 0 ? config().input_dropout : config().hidden_dropout, draw_key(layer, "input"));
    const at::Tensor recurrent =
        dropout(weight(prefix + "weight_hh_l0"), rate(config().weight_dropout), draw_key(layer, "recurrent weights"));
    return rows_.lstm(entering, hidden, cell,
                      {weight(prefix + "weight_ih_l0"), recurrent, weight(prefix + "bias_ih_l0"), weight(prefix + "bias_hh_l0")});
  }

  at::Tensor logits(const at::Tensor& read) const {
    const auto bias = config().output_bias ? std::optional(weight("lm_head.bias")) : std::nullopt;
    return at_linear("lm_head", read, at::linear(read, weight(awd_lstm_words(config())), bias));
  }

  const AwdLstmConfig* config_;
  RecurrentRows rows_;
};

class AwdLstm : public FamilyBase {
 public:
  AwdLstm(const AwdLstmConfig& config, FamilyFacts facts) : FamilyBase(std::move(facts)), config_(config) {}

  ModelKind model_kind() const override { return ModelKind::causal; }
  std::vector<int64_t> state_widths() const override {
    std::vector<int64_t> widths;
    for (int64_t layer = 0; layer < config_.layers; ++layer) widths.insert(widths.end(), 2, config_.width(layer));
    return widths;
  }
  Output forward(const Weights& weights, const PackedBatch& batch, const ForwardOptions& options) const override {
    return AwdLstmPass(config_, facts_, weights, batch, options).run();
  }
  std::string label_matrix() const override { return head().kind == HeadKind::causal_lm ? awd_lstm_words(config_) : ""; }
  /// Only states of the last layer's width.
  at::Tensor read_out(const Weights& /*weights*/, const at::Tensor& states, bool /*normed*/) const override {
    if (states.size(1) != config_.last_width())
      user_error("a model of type 'awd_lstm': the words' scores read states of {} features, found a layer's of {}", config_.last_width(),
                 states.size(1));
    return states;
  }
  /// The reference's: U(-range, range) for words, a bias of zeros, and torch.nn.LSTM's U(-1/√width, 1/√width).
  at::Tensor initial(const ParameterInfo& parameter, Key key) const override {
    if (parameter.name == "lm_head.bias") return at::zeros(parameter.shape, at::kFloat);
    const bool recurrent = parameter.layer >= 0;
    const double range = recurrent ? 1 / std::sqrt(static_cast<double>(config_.width(parameter.layer))) : config_.initializer_range;
    at::Tensor values = at::empty(parameter.shape, at::kFloat);
    fill_uniform(key, {values.mutable_data_ptr<float>(), static_cast<size_t>(values.numel())}, 0, static_cast<float>(-range),
                 static_cast<float>(range));
    return values;
  }

 private:
  AwdLstmConfig config_;
};

}  // namespace

std::unique_ptr<Family> make_awd_lstm_family(const AwdLstmConfig& config, const nlohmann::json& json, const HeadSpec& head) {
  return std::make_unique<AwdLstm>(config, FamilyFacts{"awd_lstm", json, head, config.layers, config.last_width(), any_length,
                                                       awd_lstm_parameters(config, head), awd_lstm_sites(config)});
}

}  // namespace tsrun::model
