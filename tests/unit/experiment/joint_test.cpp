// One space over several deltas, from solutions to transfer, on tiny models.
#include "support/folder_test.h"
#include "tsrun/base/operators.h"
#include "tsrun/data/task.h"
#include "tsrun/experiment/lab.h"
#include "unit/train/toy.h"

#include <gmock/gmock.h>

namespace tsrun {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class JointTest : public FolderTest {
 protected:
  JointTest() {
    save_model(toy::tiny_bert(), folder_ / "bert");
    for (const char* name : {"one", "two"}) {
      Task task = toy::sentiment(std::string(name) == "one" ? 48 : 32, 24);
      task.name = name;
      save_task(task, folder_ / name);
    }
    lab_.emplace(settings());
  }
  LabSettings settings() const {
    LabSettings settings;
    settings.store = folder_ / "store";
    settings.plugins = {fs::path(TSRUN_BINARY_DIR) / "lib/tsrun/plugins", fs::path(TSRUN_BINARY_DIR) / "tests/plugins/random_joint"};
    return settings;
  }
  json call(const std::string& name, const json& arguments) { return lab_->call(name, arguments); }
  std::string error(const std::string& name, const json& arguments) {
    return error_of([&] { call(name, arguments); }).what();
  }

  json model() { return call("model", {{"spec", (folder_ / "bert").string()}}); }
  json task(const std::string& name) { return call("task", {{"spec", (folder_ / name).string()}}); }
  json adapted(const std::string& method, const json& seed = 42) {
    return call("adapt", {{"model", model()}, {"method", method}, {"seed", seed}});
  }
  json train(json options) {
    options.update({{"batch_size", 16}, {"max_length", 24}, {"lr", 5e-3}}, false);
    if (!options.contains("task")) options["task"] = task("one");
    if (!options.contains("epochs")) options["epochs"] = 2;
    return call("train", options);
  }
  /// A head for the deltas to share.
  json probe(const std::string& name = "one") {
    return train({{"model", model()}, {"task", task(name)}, {"train", {"head"}}, {"seed", 7}, {"lr_head", 0.05}});
  }
  json solution(const std::string& method, const std::string& name = "one", int64_t seed = 1, const json& start = 42) {
    return train({{"model", adapted(method, start)},
                  {"task", task(name)},
                  {"seed", seed},
                  {"train", {"delta"}},
                  {"origin", {{"solution", probe(name)}, {"parts", {"head"}}}}});
  }
  json members(int64_t lora_seed = 1) {
    return json::array({{{"name", "adapter"}, {"solutions", {solution("adapter", "one", 1), solution("adapter", "two", 2)}}},
                        {{"name", "lora"}, {"solutions", {solution("lora", "two", 1), solution("lora", "one", lora_seed)}}}});
  }
  json joint() {
    return call("decompose", {{"method", "random_joint"}, {"members", members()}, {"dim", 3}, {"batch_size", 8}, {"max_length", 24}});
  }
  /// Coordinates trained within one member.
  json within(const json& basis, const json& more = json::object()) {
    json options = {{"model", basis.at("model")},
                    {"seed", 3},
                    {"train", json::array()},
                    {"epochs", 3},
                    {"tune", {{"subspace", basis}, {"lr", 0.5}, {"init", 0.02}}},
                    {"origin", {{"solution", probe()}, {"parts", {"head"}}}}};
    options.update(more);
    return train(options);
  }
  json decode(const json& basis, const json& z, const json& more = json::object()) {
    json options = {{"basis", basis},
                    {"model", basis.at("model")},
                    {"task", task("one")},
                    {"z", z},
                    {"max_length", 24},
                    {"bootstrap", 50},
                    {"origin", {{"solution", probe()}, {"parts", {"head"}}}}};
    options.update(more);
    return call("decode", options);
  }

  std::optional<Lab> lab_;
};

TEST_F(JointTest, DecomposesSolutions_TrainsOneVector_AndDecodesItByEveryMember) {
  const json space = joint();
  EXPECT_EQ(space.at("dim"), 3);
  EXPECT_EQ(space.at("tasks"), json({"one", "two"}));
  for (const char* task : {"one", "two"})
    for (const char* member : {"adapter", "lora"}) EXPECT_EQ(space.at("codes").at(task).at(member).size(), 3U);
  EXPECT_EQ(space.at("mean_code").size(), 3U);
  const json list = read_json(lab_->store().get("joint", space.at("key")).path / "solutions.json");
  EXPECT_EQ(list.at("members").at(1).at("solutions").at(0).at("task"), "one") << "in the order of the first member's tasks";

  const json& lora = space.at("members").at("lora");
  const json found = within(lora);
  EXPECT_EQ(found.at("trainable"), 3) << "nothing beside the coordinates";
  for (const char* which : {"best", "last"}) {
    const json again = decode(lora, found, {{"which", which}});
    EXPECT_EQ(again.at("last").at("score"), found.at(which).at("score")) << which;
    EXPECT_EQ(again.at("last").at("loss"), found.at(which).at("loss")) << which;
    EXPECT_LE(again.at("interval").at("low"), again.at("last").at("score"));
    EXPECT_GE(again.at("interval").at("high"), again.at("last").at("score"));
  }
  const json transferred = decode(space.at("members").at("adapter"), found);
  EXPECT_NE(transferred.at("last").at("loss"), found.at("best").at("loss"));
  EXPECT_EQ(transferred.at("trained"), false);
}

TEST_F(JointTest, DecodesZeroAsTheStart_AndScansAsItDecodes) {
  const json space = joint(), &lora = space.at("members").at("lora");
  const json zero = {0.0, 0.0, 0.0}, point = {1.0, -2.0, 0.5};
  EXPECT_EQ(decode(lora, zero).at("last").at("loss"), probe().at("last").at("loss")) << "B = 0: the probed model itself";
  const json options = {{"basis", lora},           {"model", lora.at("model")}, {"task", task("one")},
                        {"points", {zero, point}}, {"max_length", 24},          {"origin", {{"solution", probe()}, {"parts", {"head"}}}}};
  const json scores = call("scan", options).at("scores");
  EXPECT_EQ(scores.at(0), decode(lora, zero).at("last").at("score"));
  EXPECT_EQ(scores.at(1), decode(lora, point).at("last").at("score"));
}

TEST_F(JointTest, StartsEveryTrainingOfADeltaWithASeedAtTheSameValues) {
  EXPECT_NE(adapted("lora").at("key"), adapted("lora", 43).at("key"));
  const auto refused = [&](const json& start) {
    return error("decompose",
                 {{"method", "random_joint"},
                  {"members", {{{"name", "lora"}, {"solutions", {solution("lora", "one", 1, start), solution("lora", "one", 2, start)}}}}},
                  {"max_length", 24}});
  };
  EXPECT_THAT(refused(nullptr), AllOf(HasSubstr("member 'lora'"), HasSubstr("(seed 2) started at"), HasSubstr("ts.adapt(model, ")));
}

TEST_F(JointTest, RefusesATrainingFromAnotherStart_InsideItsSpace) {
  const json basis = joint().at("members").at("lora");
  EXPECT_THAT(error_of([&] { within(basis, {{"model", adapted("lora", 43)}}); }).what(), HasSubstr("this space was made around the start"));
  EXPECT_THAT(error_of([&] {
                decode(basis, {0.0, 0.0, 0.0}, {{"model", adapted("lora", 43)}});
              }).what(),
              HasSubstr("this space was made around the start"));
  EXPECT_THAT(error_of([&] { decode(basis, {0.0, 0.0, 0.0}, {{"model", adapted("adapter")}}); }).what(), HasSubstr("model lacks"));
}

TEST_F(JointTest, NamesWhatIsWrongWithMembersAndCoordinates) {
  const auto decompose = [&](const json& members) { return error("decompose", {{"method", "random_joint"}, {"members", members}}); };
  const json a = solution("adapter"), b = solution("lora", "two");
  EXPECT_THAT(decompose({{{"name", "a"}, {"solutions", {a, solution("adapter", "two")}}}, {{"name", "l"}, {"solutions", {b}}}}),
              HasSubstr("member 'l' has no solution of task 'one', which member 'a' has"));
  EXPECT_THAT(decompose({{{"name", "a"}, {"solutions", {a, b}}}}), HasSubstr("solutions of different models"));
  EXPECT_THAT(decompose({{{"name", "a"}, {"model", adapted("lora")}}}), HasSubstr("member 'a' has no solutions"));
  EXPECT_THAT(decompose({{{"name", "a/b"}, {"solutions", {a}}}}), HasSubstr("more than letters"));
  EXPECT_THAT(decompose({{{"nam", "a"}}}), HasSubstr("did you mean 'name'?"));
  EXPECT_THAT(decompose(json::array()), HasSubstr("'members' is empty"));
  json lost = a;
  lost["keep"] = "none";
  EXPECT_THAT(decompose({{{"name", "a"}, {"solutions", {lost}}}}), HasSubstr("kept no 'best' weights"));
  EXPECT_THAT(error("decompose", {{"method", "random_projection"}, {"members", {{{"name", "a"}, {"solutions", {a}}}}}}),
              ::testing::AllOf(HasSubstr("'random_projection' is a subspace, expected a joint; known: "), HasSubstr("random_joint")));

  const json basis = joint().at("members").at("lora");
  EXPECT_THAT(error_of([&] { decode(basis, {0.0, 1.0}); }).what(), HasSubstr("z: 2 numbers, but the basis has 3 dimensions"));
  EXPECT_THAT(error_of([&] { decode(basis, a); }).what(), HasSubstr("moved in full space"));
}

TEST_F(JointTest, MakesASpaceWithoutSolutions_AroundTheModelsOwnStart) {
  const json space = call(
      "decompose", {{"method", "random_joint"},
                    {"blind", true},
                    {"dim", 3},
                    {"members", {{{"name", "lora"}, {"model", adapted("lora")}}, {{"name", "adapter"}, {"model", adapted("adapter")}}}},
                    {"tasks", {task("one")}},
                    {"heads", {probe()}},
                    {"max_length", 24}});
  EXPECT_FALSE(space.contains("codes"));
  EXPECT_EQ(within(space.at("members").at("adapter")).at("trainable"), 3);
}

TEST_F(JointTest, TakesAModelsOwnParametersAsAMember) {
  json members = this->members();
  const json full = train({{"model", model()}, {"train", {"encoder"}}, {"origin", {{"solution", probe()}, {"parts", {"head"}}}}});
  members = json::array({members[1], {{"name", "full"}, {"solutions", {full}}, {"parameters", {{"parts", {"encoder"}}}}}});
  members[0]["solutions"].erase(0);  // of task two
  const json space = call("decompose", {{"method", "random_joint"}, {"members", members}, {"max_length", 24}});
  EXPECT_GT(space.at("members").at("full").at("numbers"), space.at("members").at("lora").at("numbers"));
}

TEST_F(JointTest, TrainsOneVectorAlone_InAnEncoderDecoderThatHasNoHead) {
  const auto words = toy::tiny_bert().tokenizer;
  const json config = {{"model_type", "t5"}, {"vocab_size", words->vocabulary_size()},
                       {"d_model", 16},      {"d_kv", 8},
                       {"num_heads", 2},     {"d_ff", 32},
                       {"num_layers", 1},    {"num_decoder_layers", 1},
                       {"dropout_rate", 0.1}};
  save_model(initialise_model(config, {HeadKind::seq2seq_lm, 0}, words, Key::root(3)), folder_ / "t5");
  const json t5 = call("model", {{"spec", (folder_ / "t5").string()}});
  json members = json::array();
  for (const char* method : {"lora", "adapter"}) {
    const json model = call("adapt", {{"model", t5}, {"method", method}, {"seed", 42}});
    json seeds = json::array();
    for (const int seed : {1, 2}) seeds.push_back(train({{"model", model}, {"seed", seed}, {"epochs", 1}, {"max_answer_length", 4}}));
    members.push_back({{"name", method}, {"solutions", seeds}});
  }
  const json space = call("decompose", {{"method", "random_joint"}, {"members", members}, {"max_length", 24}, {"max_answer_length", 4}});
  const json& lora = space.at("members").at("lora");
  const json found = within(lora, {{"origin", nullptr}, {"max_answer_length", 4}});
  EXPECT_EQ(found.at("trainable"), 3);
  const json again = decode(lora, found, {{"origin", nullptr}, {"max_answer_length", 4}});
  EXPECT_EQ(again.at("last").at("loss"), found.at("best").at("loss"));
}

TEST_F(JointTest, TakesWhatADeltaTrains_OfTheModelItselfToo) {
  const json members = {{{"name", "bitfit"}, {"solutions", {solution("bitfit")}}}, {{"name", "lora"}, {"solutions", {solution("lora")}}}};
  const json space = call("decompose", {{"method", "random_joint"}, {"members", members}, {"max_length", 24}});
  const json& basis = space.at("members").at("bitfit");
  EXPECT_EQ(basis.at("numbers"), members[0].at("solutions")[0].at("model").at("delta_parameters"));
  const json found = within(basis);
  EXPECT_EQ(found.at("trainable"), 3);
  EXPECT_EQ(decode(basis, found).at("last").at("loss"), found.at("best").at("loss"));
}

TEST_F(JointTest, WritesAFullUpdateAsFactors_ThatStandBesideATrainedLora) {
  const json full = train({{"model", model()}, {"train", {"encoder"}}, {"origin", {{"solution", probe()}, {"parts", {"head"}}}}});
  const auto lora = [&](int64_t rank) {
    return call("adapt",
                {{"model", model()}, {"method", "lora"}, {"target_modules", {"all-linear"}}, {"r", rank}, {"lora_alpha", 5}, {"seed", 42}});
  };
  const json whole = call("low_rank", {{"solution", full}, {"model", lora(16)}, {"max_length", 24}});
  EXPECT_NEAR(whole.at("energy").at("last").at("of_maps"), 1, 1e-6) << "16 is the smaller side of every map";
  EXPECT_LT(whole.at("energy").at("last").at("of_update"), 1) << "biases and norms moved too";
  const auto own = SafetensorsFile::open(lab_->store().get("train", whole.at("key")).path / "last.safetensors");
  const auto tuned = SafetensorsFile::open(lab_->store().get("train", full.at("key")).path / "last.safetensors");
  const auto at = [](const SafetensorsFile& file, const std::string& name) { return as_float32(*file.find(name)); };
  for (const std::string module : {"bert.encoder.layer.0.attention.self.query", "bert.encoder.layer.1.intermediate.dense"}) {
    const at::Tensor update = at(own, module + ".lora_B.weight").matmul(at(own, module + ".lora_A.weight")) * (5.0 / 16);
    EXPECT_LT((at(own, module + ".weight") + update - at(tuned, module + ".weight")).abs().max().item<double>(), 1e-5) << module;
  }

  const json code = call("low_rank", {{"solution", full}, {"model", lora(2)}, {"max_length", 24}});
  EXPECT_LT(code.at("energy").at("last").at("of_maps"), 1);
  EXPECT_EQ(code.at("task").at("name"), "one");
  const json members = {{{"name", "fine-tuning"}, {"solutions", {code}}}, {{"name", "adapter"}, {"solutions", {solution("adapter")}}}};
  const json space = call("decompose", {{"method", "random_joint"}, {"members", members}, {"max_length", 24}});
  EXPECT_EQ(within(space.at("members").at("fine-tuning")).at("trainable"), 3);
  EXPECT_THAT(error("low_rank", {{"solution", full}, {"model", adapted("adapter")}}), HasSubstr("no low-rank factors"));
}

TEST_F(JointTest, PlansWithoutTouchingTheStore) {
  auto plan = settings();
  plan.plan_only = true;
  lab_.emplace(plan);
  const json space = joint();
  EXPECT_EQ(space.at("codes").at("one").at("lora"), json({0.0, 0.0, 0.0}));
  const json found = within(space.at("members").at("lora"));
  EXPECT_EQ(decode(space.at("members").at("adapter"), found).at("planned"), true);
  EXPECT_EQ(decode(space.at("members").at("adapter"), space.at("mean_code")).at("planned"), true);
  EXPECT_EQ(files_below(folder_ / "store"), 0U);
}

}  // namespace
}  // namespace tsrun
