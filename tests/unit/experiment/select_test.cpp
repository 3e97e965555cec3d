// Choices before any training: what they look at, and what their keys hold.
#include "support/folder_test.h"
#include "tsrun/data/task.h"
#include "tsrun/experiment/lab.h"
#include "tsrun/model/tensors.h"
#include "unit/train/toy.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

namespace tsrun {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class SelectTest : public FolderTest {
 protected:
  SelectTest() {
    save_model(toy::tiny_bert(), folder_ / "bert");
    save_task(toy::sentiment(32, 8), folder_ / "task");
    LabSettings settings;
    settings.store = folder_ / "store";
    settings.plugins = {fs::path(TSRUN_BINARY_DIR) / "lib/tsrun/plugins"};
    lab_.emplace(settings);
  }
  json model() { return lab_->call("model", {{"spec", (folder_ / "bert").string()}}); }
  json task() { return lab_->call("task", {{"spec", (folder_ / "task").string()}}); }
  json select(const std::string& method, const json& more) {
    json options = {{"method", method}, {"model", model()}, {"task", task()}};
    options.update(more);
    return lab_->call("select", options);
  }
  json own_scores(const fs::path& file) { return select("super_tuning", {{"scores", file.string()}, {"share", 0.1}}); }
  fs::path write(const std::string& name, const at::Tensor& scores) {
    write_tensors(folder_ / name, {{kQuery, scores}});
    return folder_ / name;
  }
  const std::string kQuery = "bert.encoder.layer.0.attention.self.query.weight";
  std::optional<Lab> lab_;
};

TEST_F(SelectTest, LooksAtRowsOfTheTask_AsTrainingsReadThem) {
  const json chosen = select("gradient_mask", {{"rows", 8}, {"share", 0.1}});
  EXPECT_GT(chosen.at("trained").get<int64_t>(), 0);
  EXPECT_LT(chosen.at("trained").get<int64_t>(), chosen.at("parameters").get<int64_t>());
  EXPECT_NE(select("gradient_mask", {{"rows", 8}, {"share", 0.1}, {"max_length", 4}}).at("key"), chosen.at("key"));
}

TEST_F(SelectTest, KeepsItsKey_WhenAFileMoves_AndNot_WhenItChanges) {
  const at::Tensor scores =
      at::arange(toy::tiny_bert().weights.at(kQuery).numel(), at::kFloat).view_as(toy::tiny_bert().weights.at(kQuery));
  const json first = own_scores(write("one.safetensors", scores));
  EXPECT_EQ(own_scores(write("two.safetensors", scores)).at("key"), first.at("key"));
  EXPECT_NE(own_scores(write("one.safetensors", -scores)).at("key"), first.at("key"));
}

TEST_F(SelectTest, OnASchedule_KeysTheTrainingByTheFile) {
  const at::Tensor scores =
      at::arange(toy::tiny_bert().weights.at(kQuery).numel(), at::kFloat).view_as(toy::tiny_bert().weights.at(kQuery));
  const auto trained = [&](const fs::path& file) {
    const json schedule = {{"plugin", "super_tuning"}, {"options", {{"scores", file.string()}, {"share", 0.1}, {"others", "trained"}}}};
    return lab_->call("train", {{"model", model()}, {"task", task()}, {"max_length", 24}, {"max_steps", 1}, {"select", schedule}})
        .at("key");
  };
  const json first = trained(write("one.safetensors", scores));
  EXPECT_EQ(trained(write("two.safetensors", scores)), first);
  EXPECT_NE(trained(write("one.safetensors", -scores)), first);
}

TEST_F(SelectTest, NamesAFileThatIsNotThere) {
  const Error error = error_of([&] { own_scores(folder_ / "missing.safetensors"); });
  EXPECT_EQ(error.kind(), ErrorKind::data);
  EXPECT_THAT(error.what(), HasSubstr("missing.safetensors"));
}

}  // namespace
}  // namespace tsrun
