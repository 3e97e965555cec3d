// Choices before any training: what they look at, and what their keys hold.
#include "tsrun/base/operators.h"
#include "tsrun/model/tensors.h"
#include "unit/experiment/laboratory.h"

namespace tsrun {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class SelectTest : public LaboratoryTest {
 protected:
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
};

TEST_F(SelectTest, LooksAtRowsOfTheTask_AsTrainingsReadThem) {
  const json chosen = select("gradient_mask", {{"rows", 8}, {"share", 0.1}});
  EXPECT_GT(chosen.at("trained").get<int64_t>(), 0);
  EXPECT_LT(chosen.at("trained").get<int64_t>(), chosen.at("parameters").get<int64_t>());
  EXPECT_NE(select("gradient_mask", {{"rows", 8}, {"share", 0.1}, {"max_length", 4}}).at("key"), chosen.at("key"));
}

TEST_F(SelectTest, LooksAtNoRowThatTheTrainingDoesNotSee_AndCountsItsPasses) {
  const auto chosen = [&](const json& rows) { return select("gradient_mask", {{"rows", 8}, {"share", 0.1}, {"training_rows", rows}}); };
  const json all = chosen(json::object()), few = chosen({{"rows", 8}}), others = chosen({{"rows", 8}, {"rows_seed", 3}});
  EXPECT_EQ(all.at("key"), select("gradient_mask", {{"rows", 8}, {"share", 0.1}}).at("key"));
  EXPECT_NE(few.at("key"), all.at("key"));
  EXPECT_NE(others.at("key"), few.at("key"));
  EXPECT_THAT(mistake([&] { chosen({{"stratify", true}}); }), HasSubstr("select: training_rows: nothing reads option 'stratify'"));
  EXPECT_THAT(mistake([&] { chosen({{"row", 8}}); }), HasSubstr("did you mean 'rows'?"));
  EXPECT_EQ(few.at("gradient_rows"), 8);
  EXPECT_EQ(trained({{"max_steps", 1}, {"scope", few}}).at("steps_before"), 1) << "one batch";
  const auto fisher = [&](int64_t seed) {
    const json rows = {{"rows", 8}, {"rows_seed", seed}};
    return select("fisher_layers", {{"layers", 1}, {"rows", 8}, {"training_rows", rows}}).at("table");
  };
  EXPECT_NE(fisher(0), fisher(3)) << "eight rows in all, others with another seed";
}

TEST_F(SelectTest, RestsOnTheTrainingThatItJudges) {
  const json full = trained({{"max_steps", 3}, {"keep", "last"}});
  const json chosen = select("ila", {{"solution", full}});
  EXPECT_EQ(chosen.at("rests_on").at(full.at("key").get<std::string>()), 3);
  EXPECT_GE(trained({{"max_steps", 1}, {"scope", chosen}}).at("steps_before").get<int64_t>(), 3);
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
  const auto key_by = [&](const fs::path& file) {
    const json schedule = {{"plugin", "super_tuning"}, {"options", {{"scores", file.string()}, {"share", 0.1}, {"others", "trained"}}}};
    return trained({{"max_steps", 1}, {"select", schedule}}).at("key");
  };
  const json first = key_by(write("one.safetensors", scores));
  EXPECT_EQ(key_by(write("two.safetensors", scores)), first);
  EXPECT_NE(key_by(write("one.safetensors", -scores)), first);
}

TEST_F(SelectTest, NamesAFileThatIsNotThere) {
  const Error error = error_of([&] { own_scores(folder_ / "missing.safetensors"); });
  EXPECT_EQ(error.kind(), ErrorKind::data);
  EXPECT_THAT(error.what(), HasSubstr("missing.safetensors"));
}

}  // namespace
}  // namespace tsrun
