// Options of operations that nothing would read.
#include "experiment/taken_options.h"
#include "unit/experiment/laboratory.h"

#include <cmath>

namespace tsrun::experiment {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class OperationOptions : public LaboratoryTest {
 protected:
  OperationOptions() : LaboratoryTest(16) {}
  std::string refusal(json options) {
    options["max_steps"] = 1;
    return mistake([&] { trained(options); });
  }
};

TEST_F(OperationOptions, AreRefused_WhereTheirPartIsNotTrained) {
  EXPECT_THAT(refusal({{"hold", false}}), HasSubstr("nothing reads option 'hold': no weights are zeroed"));
  EXPECT_THAT(refusal({{"train", {"encoder"}}, {"lr_head", 0.1}}), HasSubstr("nothing reads option 'lr_head'"));
  EXPECT_THAT(refusal({{"train", {"head"}}, {"lr_embeddings", 0.1}}), HasSubstr("nothing reads option 'lr_embeddings'"));
}

TEST_F(OperationOptions, ReinitialiseNoMoreLayersThanThereAre_AndNoneOfARandomModel) {
  EXPECT_THAT(refusal({{"reinit_layers", 3}}), HasSubstr("option 'reinit_layers' is 3, but the model has 2 layers"));
  EXPECT_THAT(refusal({{"reinit_layers", 1}, {"fresh", true}}), HasSubstr("nothing reads option 'reinit_layers'"));
}

TEST_F(OperationOptions, OfTheTrainer_AreRefusedByName) {
  EXPECT_THAT(refusal({{"momentum", 0.9}}), HasSubstr("option 'momentum' is 0.9, but nothing reads it: optim is 'adamw'"));
  EXPECT_THAT(refusal({{"answer", "choose"}}), HasSubstr("option 'answer' is \"choose\", but nothing reads it"));
}

TEST_F(OperationOptions, NameTheNearSplit_BeforeAnythingIsComputed) {
  EXPECT_THAT(refusal({{"eval_split", "dve"}}), HasSubstr("has no split 'dve' (did you mean 'dev'?)"));
  LabSettings planning;
  planning.store = folder_ / "nothing";
  planning.plan_only = true;
  lab_.emplace(planning);
  const json run = trained({{"max_steps", 1}, {"keep", "last"}});
  const auto evaluated = [&](json options) {
    options["solution"] = run;
    return mistake([&] { lab_->call("evaluate", options); });
  };
  EXPECT_THAT(evaluated({{"split", "dve"}}), HasSubstr("no split 'dve' (did you mean 'dev'?)"));
  EXPECT_THAT(evaluated({{"which", "best"}}), HasSubstr("kept no 'best' weights: train it with keep = \"all\""));
  EXPECT_THAT(evaluated({{"which", "mean"}}), HasSubstr("kept no 'mean' weights: train it with record = {…}"));
  const json recorded = trained({{"max_steps", 1}, {"keep", "last"}, {"record", {{"every", "epoch"}}}});
  EXPECT_NO_THROW(lab_->call("evaluate", {{"solution", recorded}, {"which", "mean"}}));
}

TEST_F(OperationOptions, LimitTheRowsOfAnEvaluation) {
  const json run = trained({{"max_steps", 1}, {"keep", "last"}});
  const json all = lab_->call("evaluate", {{"solution", run}}), few = lab_->call("evaluate", {{"solution", run}, {"rows", 2}});
  EXPECT_NE(few.at("key"), all.at("key"));
  const double score = few.at("last").at("score");
  EXPECT_EQ(2 * score, std::round(2 * score)) << "of two rows";
  EXPECT_EQ(few.at("split"), "dev");
}

TEST_F(OperationOptions, OfASecondDelta_RefuseAnOrderThatNoPassKeeps) {
  const auto adapted = [&](const json& of, const char* method) { return lab_->call("adapt", {{"model", of}, {"method", method}}); };
  EXPECT_THAT(mistake([&] { adapted(adapted(model(), "lora"), "oft"); }), HasSubstr("first"));
  EXPECT_NO_THROW(adapted(adapted(model(), "oft"), "lora"));
}

TEST_F(OperationOptions, AreFoundUnderTheNamesOfOtherLibraries) {
  EXPECT_THAT(refusal({{"learning_rate", 1e-3}}), HasSubstr("unknown option 'learning_rate' (did you mean 'lr'?)"));
  EXPECT_THAT(refusal({{"num_train_epochs", 1}}), HasSubstr("(did you mean 'epochs'?)"));
}

TEST(TakenOptions, AreThoseThatTheTableDeclares) {
  const OptionTable own = {{.name = "rank", .type = OptionType::integer, .fallback = 8, .doc = "Rank."},
                           {.name = "alpha", .type = OptionType::number, .doc = "Scale."}};
  OptionTable call = {{.name = "seed", .type = OptionType::integer, .fallback = 1, .doc = "Seed."}};
  const Options taken = taken_options(own, call.include(own).resolve({{"rank", 4}}, "test"));
  EXPECT_EQ(taken.json(), (json{{"rank", 4}, {"alpha", nullptr}}));
}

}  // namespace
}  // namespace tsrun::experiment
