#include "tsrun/train/probe.h"

#include "train/split_probe.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/model.h"
#include "tsrun/model/parts.h"
#include "tsrun/train/reading.h"
#include "tsrun/tune/hidden_place.h"

#include <algorithm>

namespace tsrun {
namespace training {
namespace {

class SplitProbe final : public Probe {
 public:
  SplitProbe(const Family& family, std::function<const EncodedSplit&()> split, std::optional<Masking> masking, bool dropout,
             at::Device device, ProbedRows& spent)
      : family_(family), split_(std::move(split)), masking_(std::move(masking)), dropout_(dropout), device_(device), spent_(spent) {}

  int64_t rows() const override { return split_().size(); }

  std::vector<std::vector<int64_t>> ids(int64_t row) override {
    const EncodedSplit& split = split_();
    require_row(split, row);
    std::vector<std::vector<int64_t>> texts = {split.rows[static_cast<size_t>(row)].ids};
    if (!split.decoder_rows.empty()) texts.push_back(split.decoder_rows[static_cast<size_t>(row)]);
    return texts;
  }

  HiddenStates hidden(const Weights& weights, std::span<const int64_t> rows, int layer) override {
    const at::NoGradGuard no_grad;
    const size_t place = hidden_place(family_, layer, "a probe");
    const PackedRows packed = packed_rows(rows);
    const bool in_decoder = !packed.decoder_ids.empty() && layer > encoder_layers(family_);
    ForwardOptions options;
    std::vector<at::Tensor> states;
    options.hidden_states = &states;
    if (!in_decoder) options.to_layer = layer;
    spend(rows, {in_decoder ? 1 : layer / static_cast<double>(std::max(1, family_.layers())), 0});
    family_.forward(weights, to_device(packed, family_.head(), device_), options);
    const at::Tensor& found = states.at(place);
    return lengthened(found, in_decoder ? packed.decoder_offsets : packed.offsets);
  }

  LabelStates label_states(const Weights& weights, std::span<const int64_t> rows) override {
    const at::NoGradGuard no_grad;
    if (family_.label_matrix().empty())
      user_error("states behind labels, but the {} head predicts none; expected one with classes or words", name_of(family_.head().kind));
    const PackedBatch batch = to_device(packed_rows(rows), family_.head(), device_);
    std::vector<at::Tensor> all;
    ForwardOptions options;
    options.hidden_states = &all;
    spend(rows, {1, 0});
    const Output output = family_.forward(weights, batch, options);
    return at_labels(all, output, batch.targets);
  }

  LossAndGradient loss_and_gradient(const Weights& weights, std::span<const int64_t> rows, std::optional<Key> dropout) override {
    const PackedBatch batch = to_device(packed_rows(rows), family_.head(), device_);
    const at::AutoGradMode recording(true);
    const Weights leaves = leaves_of(weights);
    ForwardOptions options;
    options.training = dropout_ && dropout.has_value();
    if (dropout) options.dropout = *dropout;
    spend(rows, {1, 1});
    const at::Tensor loss = task_loss(family_.head(), family_.forward(leaves, batch, options), batch);
    loss.backward();
    LossAndGradient result{loss.item<double>(), {}};
    for (const ParameterInfo& info : family_.parameters()) {
      const at::Tensor& leaf = leaves.at(info.name);
      result.gradient.set(info.name, leaf.grad().defined() ? leaf.grad() : at::zeros_like(leaf));
    }
    return result;
  }

 private:
  static void require_row(const EncodedSplit& split, int64_t row) {
    if (row < 0 || row >= split.size()) user_error("a probe of row {}, expected 0 to {}", row, split.size() - 1);
  }

  void spend(std::span<const int64_t> rows, ProbedRows a_row) {
    spent_.forward += a_row.forward * static_cast<double>(rows.size());
    spent_.backward += a_row.backward * static_cast<double>(rows.size());
  }

  PackedRows packed_rows(std::span<const int64_t> rows) const {
    const EncodedSplit& split = split_();
    if (rows.empty()) user_error("a probe of no rows; expected some of 0 to {}", split.size() - 1);
    for (const int64_t row : rows) require_row(split, row);
    PackedRows packed = pack_batch(split, rows);
    if (masking_) packed.token_targets = masking_->apply(packed, 0);
    return packed;
  }

  /// Of tokens that the head reads, those with a target.
  LabelStates at_labels(const std::vector<at::Tensor>& all, const Output& output, const at::Tensor& targets) const {
    const at::Tensor has_target = targets != no_target;
    at::Tensor tokens = output.tokens ? at::tensor(*output.tokens, at::kLong).to(device_)
                                      : at::arange(output.hidden.size(0), at::TensorOptions(device_).dtype(at::kLong));
    if (tokens.size(0) == targets.size(0)) tokens = tokens.masked_select(has_target);
    const bool of_decoder = family_.model_kind() == ModelKind::encoder_decoder;
    LabelStates found{{}, targets.masked_select(has_target), of_decoder ? encoder_layers(family_) : 0};
    for (size_t i = of_decoder ? static_cast<size_t>(encoder_layers(family_)) + 1 : 0; i < all.size(); ++i)
      found.states.push_back(all[i].index_select(0, tokens));
    return found;
  }

  static Weights leaves_of(const Weights& weights) {
    Weights leaves;
    for (const std::string& name : weights.names()) {
      at::Tensor leaf = weights.at(name).detach();
      if (leaf.is_floating_point()) leaf.set_requires_grad(true);
      leaves.set(name, leaf);
    }
    return leaves;
  }

  /// A prompt lengthens every row alike.
  static HiddenStates lengthened(const at::Tensor& states, const std::vector<int64_t>& offsets) {
    const int64_t more = (states.size(0) - offsets.back()) / static_cast<int64_t>(offsets.size() - 1);
    HiddenStates result{states, {}};
    for (size_t i = 0; i < offsets.size(); ++i) result.offsets.push_back(offsets[i] + static_cast<int64_t>(i) * more);
    return result;
  }

  const Family& family_;
  std::function<const EncodedSplit&()> split_;
  std::optional<Masking> masking_;
  bool dropout_;
  at::Device device_;
  ProbedRows& spent_;
};

/// Owns its rows, which `encode` gives when they are first asked for.
class OwningProbe final : public Probe {
 public:
  OwningProbe(const Family& family, std::function<EncodedSplit()> encode, std::optional<Masking> masking, bool dropout, at::Device device,
              int64_t* gradient_rows)
      : encode_(std::move(encode)),
        gradient_rows_(gradient_rows),
        inner_(
            family, [this]() -> const EncodedSplit& { return encoded(); }, std::move(masking), dropout, device, spent_) {}

  int64_t rows() const override { return inner_.rows(); }
  std::vector<std::vector<int64_t>> ids(int64_t row) override { return inner_.ids(row); }
  HiddenStates hidden(const Weights& weights, std::span<const int64_t> rows, int layer) override {
    return inner_.hidden(weights, rows, layer);
  }
  LabelStates label_states(const Weights& weights, std::span<const int64_t> rows) override { return inner_.label_states(weights, rows); }
  LossAndGradient loss_and_gradient(const Weights& weights, std::span<const int64_t> rows, std::optional<Key> dropout) override {
    if (gradient_rows_ != nullptr) *gradient_rows_ += static_cast<int64_t>(rows.size());
    return inner_.loss_and_gradient(weights, rows, dropout);
  }

 private:
  const EncodedSplit& encoded() {
    if (!split_) split_ = encode_();
    return *split_;
  }

  std::function<EncodedSplit()> encode_;
  int64_t* gradient_rows_;
  std::optional<EncodedSplit> split_;
  ProbedRows spent_;
  SplitProbe inner_;
};

Options with_first_answers(const Options& options) {
  nlohmann::json values = options.json();
  values["accepted_answers"] = "first";
  return Options(values);
}

}  // namespace

std::unique_ptr<Probe> make_split_probe(const Family& family, std::function<const EncodedSplit&()> rows, std::optional<Masking> masking,
                                        bool dropout, at::Device device, ProbedRows& spent) {
  return std::make_unique<SplitProbe>(family, std::move(rows), std::move(masking), dropout, device, spent);
}

}  // namespace training

std::unique_ptr<Probe> make_probe(const Model& model, const Task& task, const Options& options, Key key, at::Device device,
                                  int64_t* gradient_rows) {
  std::optional<training::Masking> masking;
  if (model.family->head().kind == HeadKind::masked_lm)
    masking.emplace(*model.tokenizer, options.number("mlm_probability"), key.split("masking"),
                    model.family->config().at("vocab_size").get<int64_t>());
  const auto encode = [&model, &task, reading = training::with_first_answers(options)] {
    return encode_training_rows(model, task, reading);
  };
  return std::make_unique<training::OwningProbe>(*model.family, encode, std::move(masking), options.flag("dropout"), device, gradient_rows);
}

std::unique_ptr<Probe> make_probe(const Family& family, EncodedSplit rows, at::Device device) {
  return std::make_unique<training::OwningProbe>(
      family, [rows = std::move(rows)] { return rows; }, std::nullopt, /*dropout=*/false, device, nullptr);
}

}  // namespace tsrun
