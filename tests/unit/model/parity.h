#pragma once

// Values of transformers (tests/goldens/make_*.py), and what is compared with them.
#include "support.h"
#include "tsrun/base/files.h"

#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace tsrun {

/// Goldens, the model that they are of, and the worst differences seen.
struct Parity {
  /// Of tests/goldens/`family`_tiny, from goldens.safetensors and `more`.
  explicit Parity(const std::string& family, const std::vector<std::string>& more = {})
      : folder(std::filesystem::path(TSRUN_SOURCE_DIR) / "tests/goldens" / (family + "_tiny")), config(read_json(folder / "config.json")) {
    files.push_back(SafetensorsFile::open(folder / "goldens.safetensors"));
    for (const std::string& name : more) files.push_back(SafetensorsFile::open(folder / name));
  }

  const TensorInfo* find(const std::string& name) const {
    for (const SafetensorsFile& file : files) {
      if (const TensorInfo* info = file.find(name)) return info;
    }
    return nullptr;
  }
  at::Tensor golden(const std::string& name) const {
    const TensorInfo* info = find(name);
    if (!info) throw std::runtime_error("no golden " + name);
    return as_tensor(*info).clone();
  }
  std::vector<int64_t> integers(const std::string& name) const {
    const at::Tensor tensor = golden(name);
    return {tensor.const_data_ptr<int64_t>(), tensor.const_data_ptr<int64_t>() + tensor.numel()};
  }

  PackedBatch batch(const std::string& head) const {
    PackedRows rows;
    rows.ids = integers("ids");
    rows.segments = integers("segments");
    rows.positions = integers("positions");
    rows.offsets = integers("offsets");
    if (find("decoder_ids")) {
      rows.decoder_ids = integers("decoder_ids");
      rows.decoder_offsets = integers("decoder_offsets");
    }
    PackedBatch batch = to_device(rows, {}, at::kCPU);
    batch.targets = golden(head + ".targets");
    return batch;
  }

  /// Leaves for the head's family, with the goldens' own classifier.
  Weights weights(const Family& family, const std::string& head) const {
    Weights loaded = load_weights(folder / "model.safetensors", family), leaves;
    for (const ParameterInfo& parameter : family.parameters()) {
      const bool own = find(head + "." + parameter.name) != nullptr;
      const at::Tensor values = own ? golden(head + "." + parameter.name) : loaded.at(parameter.name);
      leaves.set(parameter.name, values.requires_grad_());
    }
    return leaves;
  }

  void check_head(const std::string& name, const HeadSpec& head, const ForwardOptions& options = {}) const {
    const auto family = make_family(config, head, "config.json");
    const Weights leaves = weights(*family, name);
    const PackedBatch data = batch(name);
    const Output output = family->forward(leaves, data, options);
    const at::Tensor loss = task_loss(head, output, data);
    loss.backward();
    const double logits = largest_difference(output.logits.detach(), golden(name + ".logits"));
    EXPECT_LT(logits, 1e-4);
    EXPECT_NEAR(loss.item<double>(), golden(name + ".loss").item<double>(), 1e-5);
    double worst = 0;
    size_t checked = 0;
    for (const std::string& parameter : leaves.names()) {
      if (!find(name + ".grad." + parameter)) continue;
      ++checked;
      const double difference = (leaves.at(parameter).grad() - golden(name + ".grad." + parameter)).norm().item<double>() /
                                golden(name + ".grad." + scaling(parameter)).norm().item<double>();
      EXPECT_LT(difference, 1e-3) << parameter;
      worst = std::max(worst, difference);
    }
    EXPECT_GE(checked, name == "regression" ? 2U : leaves.size());  // the encoder's gradients are the same for both pooled heads
    std::printf("%s: largest difference of logits %.2e, relative difference of gradients %.2e\n", name.c_str(), logits, worst);
  }

  /// Whose gradient's norm differences are measured against: the parameter's own, but for a key's bias, which moves all scores of a query
  /// alike, so that its gradient is nothing but rounding.
  static std::string scaling(const std::string& parameter) {
    const bool key_bias = parameter.ends_with("self.key.bias") || parameter.ends_with("k_lin.bias") || parameter.ends_with("k_proj.bias");
    return key_bias ? parameter.substr(0, parameter.size() - 4) + "weight" : parameter;
  }

  void check_hidden_states() const {
    const HeadSpec head{HeadKind::classification, 3};
    const auto family = make_family(config, head, "config.json");
    std::vector<at::Tensor> states;
    ForwardOptions options;
    options.hidden_states = &states;
    c10::NoGradGuard guard;
    family->forward(weights(*family, "classification"), batch("classification"), options);
    double worst = 0;
    for (size_t i = 0; i < states.size(); ++i) {
      worst = std::max(worst, largest_difference(states[i], golden("hidden." + std::to_string(i))));
    }
    EXPECT_EQ(states.size(), static_cast<size_t>(family->layers()) + 1);
    EXPECT_LT(worst, 1e-4);
    std::printf("largest difference of hidden states %.2e\n", worst);
  }

  /// Every row alone gives the logits that it has among its neighbours.
  void check_batch_composition() const {
    const HeadSpec head{HeadKind::classification, 3};
    const auto family = make_family(config, head, "config.json");
    const Weights leaves = weights(*family, "classification");
    const PackedBatch all = batch("classification");
    c10::NoGradGuard guard;
    const at::Tensor together = family->forward(leaves, all, {}).logits;
    double worst = 0;
    for (int64_t row = 0; row < all.rows(); ++row) {
      const int64_t begin = all.host_offsets[row], length = all.host_offsets[row + 1] - begin;
      PackedBatch one = all;
      one.ids = all.ids.narrow(0, begin, length);
      one.segments = all.segments.narrow(0, begin, length);
      one.positions = all.positions.narrow(0, begin, length);
      one.host_offsets = {0, length};
      one.offsets = at::tensor(one.host_offsets, at::kLong);
      worst = std::max(worst, largest_difference(family->forward(leaves, one, {}).logits[0], together[row]));
    }
    EXPECT_LT(worst, 1e-5);
    std::printf("largest difference between a row alone and in a batch %.2e\n", worst);
  }

  /// From the hidden states after a layer on, the rest of the model gives the same bits.
  void check_continuation() const {
    const auto family = make_family(config, {HeadKind::classification, 3}, "config.json");
    const Weights leaves = weights(*family, "classification");
    const PackedBatch data = batch("classification");
    c10::NoGradGuard guard;
    std::vector<at::Tensor> states;
    ForwardOptions watched;
    watched.hidden_states = &states;
    const at::Tensor whole = family->forward(leaves, data, watched).logits;
    for (int layer = 0; layer <= family->layers(); ++layer) {
      ForwardOptions rest;
      rest.from_layer = layer;
      rest.from_hidden = states[static_cast<size_t>(layer)];
      EXPECT_LT(largest_difference(family->forward(leaves, data, rest).logits, whole), 1e-6) << "from layer " << layer;
      ForwardOptions beginning;
      beginning.to_layer = layer;
      const Output stopped = family->forward(leaves, data, beginning);
      EXPECT_TRUE(at::equal(stopped.hidden, states[static_cast<size_t>(layer)])) << "to layer " << layer;
      EXPECT_FALSE(stopped.logits.defined());
    }
  }

  /// Words that no row uses may go.
  void check_fewer_words() const {
    const auto family = make_family(config, {HeadKind::classification, 3}, "config.json");
    Weights leaves = weights(*family, "classification");
    PackedBatch data = batch("classification");
    c10::NoGradGuard guard;
    const at::Tensor whole = family->forward(leaves, data, {}).logits;
    const std::vector<int64_t> used = integers("ids");
    const std::set<int64_t> distinct(used.begin(), used.end());
    const std::vector<int64_t> kept(distinct.begin(), distinct.end());
    const auto fewer = family->with_vocabulary(kept);
    ASSERT_TRUE(fewer);
    std::vector<int64_t> renumbered;
    for (const int64_t id : used) renumbered.push_back(std::lower_bound(kept.begin(), kept.end(), id) - kept.begin());
    data.ids = at::tensor(renumbered, at::kLong);
    const std::string words = family->parameters().front().name;
    leaves.set(words, leaves.at(words).detach().index_select(0, at::tensor(kept, at::kLong)));
    EXPECT_LT(largest_difference(fewer->forward(leaves, data, {}).logits, whole), 1e-6);
  }

  std::filesystem::path folder;
  std::vector<SafetensorsFile> files;
  nlohmann::json config;
};

}  // namespace tsrun
