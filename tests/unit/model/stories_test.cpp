// stories260K, a real Llama of 260,032 parameters, gives its published greedy text and losses.
#include "support.h"
#include "tsrun/base/files.h"

#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace tsrun {
namespace {

class Stories : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* given = std::getenv("TSRUN_SHARED");
    folder = (given ? std::filesystem::path(given) : std::filesystem::path(TSRUN_SOURCE_DIR) / ".." / "shared") / "data/models/stories260K";
    if (!std::filesystem::exists(folder / "model.safetensors")) GTEST_SKIP() << "no stories260K in " << folder << " (TSRUN_SHARED)";
    family = make_family(read_json(folder / "config.json"), {HeadKind::causal_lm, 0}, "config.json");
    weights = load_weights(folder / "model.safetensors", *family);
  }

  /// Scores [ids, vocabulary] behind every id.
  at::Tensor logits(const std::vector<int64_t>& ids) const {
    PackedRows rows;
    rows.ids = ids;
    rows.segments.assign(ids.size(), 0);
    for (size_t i = 0; i < ids.size(); ++i) rows.positions.push_back(static_cast<int64_t>(i));
    rows.offsets = {0, static_cast<int64_t>(ids.size())};
    c10::NoGradGuard guard;
    return family->forward(weights, to_device(rows, {}, at::kCPU), {}).logits;
  }

  static at::Tensor values(const nlohmann::json& list) { return at::tensor(list.get<std::vector<double>>(), at::kDouble); }

  /// Mean negative log-likelihood of every id but the first.
  double mean_loss(const std::vector<int64_t>& ids) const {
    const int64_t targets = static_cast<int64_t>(ids.size()) - 1;
    const at::Tensor following = at::tensor(std::vector<int64_t>(ids.begin() + 1, ids.end()), at::kLong);
    return at::cross_entropy_loss(logits(ids).narrow(0, 0, targets).to(at::kDouble), following).item<double>();
  }

  std::filesystem::path folder;
  std::unique_ptr<Family> family;
  Weights weights;
};

TEST_F(Stories, HasThePublishedLogitsAndGreedyWords) {
  const nlohmann::json golden = read_json(folder / "golden_greedy.json");
  const auto ids = golden["greedy_ids_from_bos"].get<std::vector<int64_t>>();
  const at::Tensor scores = logits(ids);
  EXPECT_LT(largest_difference(scores[0].to(at::kDouble), values(golden["logits_after_bos_float64"])), 1e-4);
  EXPECT_LT(largest_difference(scores[-2].to(at::kDouble), values(golden["logits_at_last_position_float64"])), 1e-3);
  const at::Tensor greedy = scores.argmax(1);
  for (size_t i = 0; i + 1 < ids.size(); ++i) EXPECT_EQ(greedy[static_cast<int64_t>(i)].item<int64_t>(), ids[i + 1]) << "at " << i;
  EXPECT_NEAR(mean_loss(ids), golden["mean_nll_of_greedy_ids_float64"].get<double>(), 1e-5);
}

TEST_F(Stories, HasThePublishedLossOnTwentyStories) {
  double sum = 0, targets = 0;
  for (const auto& story : read_json(folder / "golden_story_nll.json")) {
    const auto ids = story["ids_first_200"].get<std::vector<int64_t>>();
    const double loss = mean_loss(ids);
    EXPECT_NEAR(loss, story["mean_nll"].get<double>(), 1e-5);
    sum += loss * static_cast<double>(ids.size() - 1);
    targets += static_cast<double>(ids.size() - 1);
  }
  EXPECT_EQ(targets, 3980);
  EXPECT_NEAR(sum / targets, 1.5285, 5e-5);
}

}  // namespace
}  // namespace tsrun
