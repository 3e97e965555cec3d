// all-MiniLM-L6-v2 on 64 real sentences and pairs gives the values of transformers (tests/goldens/make_encoders.py --model).
#include "support.h"
#include "tsrun/data/batch.h"
#include "tsrun/data/task.h"

#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace tsrun {
namespace {

std::filesystem::path given_or(const char* variable, const std::filesystem::path& otherwise) {
  const char* given = std::getenv(variable);
  return given ? std::filesystem::path(given) : otherwise;
}

/// A MiniLM folder: $TSRUN_MINILM, or build/minilm.
std::filesystem::path minilm_folder() { return given_or("TSRUN_MINILM", std::filesystem::path(TSRUN_SOURCE_DIR) / "build/minilm"); }

/// Folders of CoLA, TREC and RTE, each with a task.toml.
std::filesystem::path tasks_folder() {
  return given_or("TSRUN_SHARED", std::filesystem::path(TSRUN_SOURCE_DIR) / ".." / "shared") / "data/tasks";
}

class MiniLm : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(minilm_folder() / "model.safetensors") || !std::filesystem::exists(tasks_folder())) {
      GTEST_SKIP() << "no MiniLM in " << minilm_folder() << " (TSRUN_MINILM), or no tasks in " << tasks_folder() << " (TSRUN_SHARED)";
    }
    goldens.emplace(SafetensorsFile::open(std::filesystem::path(TSRUN_SOURCE_DIR) / "tests/goldens/minilm.safetensors"));
    tokenizer = load_tokenizer(minilm_folder());
    Split split;
    add_rows(split, "cola", 16);
    add_rows(split, "trec", 16);
    add_rows(split, "rte", 32);
    encoded = encode_split({}, split, *tokenizer, {});
    all = rows_from(0, static_cast<int64_t>(split.examples.size()));
  }

  at::Tensor golden(const std::string& name) const {
    const TensorInfo* info = goldens->find(name);
    if (!info) throw std::runtime_error("no golden " + name);
    return as_tensor(*info).clone();
  }
  at::Tensor signs(int64_t size) const { return golden("signs." + std::to_string(size)).to(at::kDouble); }

  PackedBatch rows_from(int64_t first, int64_t count) const {
    std::vector<int64_t> numbers;
    for (int64_t row = first; row < first + count; ++row) numbers.push_back(row);
    return to_device(pack_batch(encoded, numbers), {}, at::kCPU);
  }

  Weights leaves_of(const Family& family, const std::string& head) const {
    Weights loaded = load_weights(minilm_folder() / "model.safetensors", family), leaves;
    for (const ParameterInfo& parameter : family.parameters()) {
      const bool own = goldens->find(head + "." + parameter.name) != nullptr;
      leaves.set(parameter.name, (own ? golden(head + "." + parameter.name) : loaded.at(parameter.name)).requires_grad_());
    }
    return leaves;
  }

  std::unique_ptr<Family> family_of(const HeadSpec& head) const {
    return make_family(read_json(minilm_folder() / "config.json"), head, "config.json");
  }

  /// The gradient's sums with signs, against the goldens', in units of the gradient's norm; of a key's bias, whose gradient is nothing but
  /// rounding (it moves all scores of a query alike), in units of the weight's.
  double gradient_difference(const std::string& head, const std::string& parameter, const at::Tensor& gradient) const {
    const at::Tensor x = gradient.to(at::kDouble);
    const at::Tensor sums = x.dim() == 2 ? (signs(x.size(0)).matmul(x) * signs(x.size(1))).sum(1) : signs(x.size(0)).mv(x);
    const bool key_bias = parameter.ends_with("self.key.bias");
    const std::string scale = key_bias ? parameter.substr(0, parameter.size() - 4) + "weight" : parameter;
    return largest_difference(sums, golden(head + ".grad." + parameter)) / golden(head + ".grad." + scale + ".norm").item<double>();
  }

  void check_head(const std::string& name, const HeadSpec& head) const {
    const auto family = family_of(head);
    const Weights leaves = leaves_of(*family, name);
    PackedBatch batch = all;
    batch.targets = golden(name + ".targets");
    const Output output = family->forward(leaves, batch, {});
    const at::Tensor loss = task_loss(head, output, batch);
    loss.backward();
    EXPECT_LT(largest_difference(output.logits.detach(), golden(name + ".logits")), 1e-4);
    EXPECT_NEAR(loss.item<double>(), golden(name + ".loss").item<double>(), 1e-5);
    size_t checked = 0;
    for (const std::string& parameter : leaves.names()) {
      EXPECT_LT(gradient_difference(name, parameter, leaves.at(parameter).grad()), 1e-3) << parameter;
      ++checked;
    }
    EXPECT_GT(checked, 100u);
  }

  std::optional<SafetensorsFile> goldens;
  std::shared_ptr<const Tokenizer> tokenizer;
  EncodedSplit encoded;
  PackedBatch all;

 private:
  static void add_rows(Split& split, const std::string& task, size_t count) {
    const Task loaded = load_task(tasks_folder() / task);
    const auto& examples = loaded.split("train").examples;
    split.examples.insert(split.examples.end(), examples.begin(), examples.begin() + static_cast<std::ptrdiff_t>(count));
  }
};

TEST_F(MiniLm, ReadsTheRowsAsTransformersDoes) { EXPECT_TRUE(all.offsets.cpu().equal(golden("offsets"))); }

TEST_F(MiniLm, HasTheHiddenStatesOfTransformers) {
  const auto family = family_of({HeadKind::classification, 3});
  std::vector<at::Tensor> states;
  ForwardOptions options;
  options.hidden_states = &states;
  c10::NoGradGuard guard;
  family->forward(leaves_of(*family, "classification"), all, options);
  ASSERT_EQ(states.size(), 7u);
  for (size_t i = 0; i < states.size(); ++i) {
    const at::Tensor sums = states[i].to(at::kDouble).matmul(signs(states[i].size(1)).t());
    EXPECT_LT(largest_difference(sums, golden("hidden." + std::to_string(i))), 1e-4) << "after layer " << i;
  }
}

TEST_F(MiniLm, HasTheLogitsLossAndGradientsOfTransformers_Classification) { check_head("classification", {HeadKind::classification, 3}); }
TEST_F(MiniLm, HasTheLogitsLossAndGradientsOfTransformers_Regression) { check_head("regression", {HeadKind::regression, 1}); }

TEST_F(MiniLm, GivesARowTheSameLogitsAloneAndAmongOthers) {
  const auto family = family_of({HeadKind::classification, 3});
  const Weights leaves = leaves_of(*family, "classification");
  c10::NoGradGuard guard;
  const at::Tensor together = family->forward(leaves, all, {}).logits;
  for (int64_t row = 0; row < all.rows(); ++row) {
    EXPECT_LT(largest_difference(family->forward(leaves, rows_from(row, 1), {}).logits[0], together[row]), 1e-5) << "row " << row;
  }
}

}  // namespace
}  // namespace tsrun
