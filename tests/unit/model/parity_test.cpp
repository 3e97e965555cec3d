// Values of transformers (tests/goldens/make_encoders.py), reproduced.
#include "support.h"

#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace tsrun {
namespace {

/// Goldens, the model that they are of, and the worst differences seen.
struct Parity {
  Parity(const std::filesystem::path& model, const std::filesystem::path& values)
      : folder(model), file(SafetensorsFile::open(values)), config(read_json(model / "config.json")) {}

  at::Tensor golden(const std::string& name) const {
    const TensorInfo* info = file.find(name);
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
    PackedBatch batch = to_device(rows, {}, at::kCPU);
    batch.targets = golden(head + ".targets");
    return batch;
  }

  /// Leaves for the head's family, with the goldens' own classifier.
  Weights weights(const Family& family, const std::string& head) const {
    Weights loaded = load_weights(folder / "model.safetensors", family), leaves;
    for (const ParameterInfo& parameter : family.parameters()) {
      const bool own = file.find(head + "." + parameter.name) != nullptr;
      const at::Tensor values = own ? golden(head + "." + parameter.name) : loaded.at(parameter.name);
      leaves.set(parameter.name, values.requires_grad_());
    }
    return leaves;
  }

  void check_head(const std::string& name, const HeadSpec& head) const {
    const auto family = make_family(config, head, "config.json");
    const Weights leaves = weights(*family, name);
    const PackedBatch data = batch(name);
    const Output output = family->forward(leaves, data, {});
    const at::Tensor loss = task_loss(head, output, data);
    loss.backward();
    const double logits = largest_difference(output.logits.detach(), golden(name + ".logits"));
    EXPECT_LT(logits, 1e-4);
    EXPECT_NEAR(loss.item<double>(), golden(name + ".loss").item<double>(), 1e-5);
    double worst = 0;
    size_t checked = 0;
    for (const std::string& parameter : leaves.names()) {
      if (!file.find(name + ".grad." + parameter)) continue;
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
    const auto fewer = family->with_words(kept);
    ASSERT_TRUE(fewer);
    std::vector<int64_t> renumbered;
    for (const int64_t id : used) renumbered.push_back(std::lower_bound(kept.begin(), kept.end(), id) - kept.begin());
    data.ids = at::tensor(renumbered, at::kLong);
    const std::string words = family->parameters().front().name;
    leaves.set(words, leaves.at(words).detach().index_select(0, at::tensor(kept, at::kLong)));
    EXPECT_LT(largest_difference(fewer->forward(leaves, data, {}).logits, whole), 1e-6);
  }

  std::filesystem::path folder;
  SafetensorsFile file;
  nlohmann::json config;
};

class EveryFamily : public ::testing::TestWithParam<const char*> {
 protected:
  static Parity tiny() {
    const auto folder = std::filesystem::path(TSRUN_SOURCE_DIR) / "tests/goldens" / (std::string(GetParam()) + "_tiny");
    return {folder, folder / "goldens.safetensors"};
  }
};
const auto name_of_family = [](const auto& info) { return std::string(info.param); };

TEST_P(EveryFamily, GivesTheClassificationOfTransformers) { tiny().check_head("classification", {HeadKind::classification, 3}); }
TEST_P(EveryFamily, HasTheHiddenStatesOfTransformers) { tiny().check_hidden_states(); }
TEST_P(EveryFamily, GivesARowTheSameLogitsAloneAndAmongOthers) { tiny().check_batch_composition(); }
TEST_P(EveryFamily, GoesOnFromTheHiddenStatesOfALayer) { tiny().check_continuation(); }
TEST_P(EveryFamily, GivesTheSameLogitsOverTheWordsOfTheBatchAlone) { tiny().check_fewer_words(); }
INSTANTIATE_TEST_SUITE_P(Families, EveryFamily,
                         ::testing::Values("bert", "roberta", "electra", "distilbert", "gpt2", "llama", "llama_biased", "mistral", "qwen2"),
                         name_of_family);

class EveryEncoder : public EveryFamily {};
TEST_P(EveryEncoder, GivesTheRegressionOfTransformers) { tiny().check_head("regression", {HeadKind::regression, 1}); }
TEST_P(EveryEncoder, GivesTheMaskedWordsOfTransformers) { tiny().check_head("masked_lm", {HeadKind::masked_lm, 0}); }
INSTANTIATE_TEST_SUITE_P(Families, EveryEncoder, ::testing::Values("bert", "roberta", "electra", "distilbert"), name_of_family);

class EveryDecoder : public EveryFamily {};
TEST_P(EveryDecoder, GivesTheNextWordsOfTransformers) { tiny().check_head("causal_lm", {HeadKind::causal_lm, 0}); }
INSTANTIATE_TEST_SUITE_P(Families, EveryDecoder, ::testing::Values("gpt2", "llama", "llama_biased", "mistral", "qwen2"), name_of_family);

TEST(Parity, GivesTheReplacedTokensOfElectra) {
  const auto folder = std::filesystem::path(TSRUN_SOURCE_DIR) / "tests/goldens/electra_tiny";
  Parity(folder, folder / "goldens.safetensors").check_head("replaced_token", {HeadKind::replaced_token, 1});
}

}  // namespace
}  // namespace tsrun
