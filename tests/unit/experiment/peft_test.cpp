// PEFT's folders, read and written (tests/goldens/deltas/peft_*, made by make_deltas.py and make_peft_folders.py).
#include "experiment/peft.h"
#include "support/golden_models.h"
#include "support/temporary_folder.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/hash.h"
#include "tsrun/base/operators.h"
#include "tsrun/tune/delta.h"

#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>

namespace tsrun::experiment {
namespace {

/// The tiny model of a kind with a delta's first values, or with those of a folder that it names.
Model with_delta(const std::string& base, const DeltaRef& delta) {
  Model model = golden_model(base);
  const std::vector<std::shared_ptr<const Delta>> deltas = {attach_delta(built_plugins(), delta, *model.family)};
  model.family = adapt(model.family, deltas);
  add_initial_values(deltas, model.weights, Key::root(1));
  if (delta.values) take_peft_values(built_plugins().delta(delta.method), *delta.values, *deltas[0], model);
  return model;
}

Model with_peft(const std::string& base, const std::filesystem::path& folder) {
  return with_delta(base, delta_of_peft(built_plugins(), folder));
}

DeltaRef given(const DeltaMethod& method, const nlohmann::json& options = nlohmann::json::object()) {
  DeltaRef delta;
  delta.method = method.name();
  delta.version = method.version();
  delta.options = method.options().resolve(options, method.name());
  return delta;
}
DeltaRef given(const std::string& method, const nlohmann::json& options = nlohmann::json::object()) {
  return given(built_plugins().delta(method), options);
}

at::Tensor logits(const Model& model, const SafetensorsFile& file) {
  const c10::NoGradGuard guard;
  const auto integers = [&](const char* name) {
    const at::Tensor t = as_tensor(*file.find(name));
    return std::vector<int64_t>(t.const_data_ptr<int64_t>(), t.const_data_ptr<int64_t>() + t.numel());
  };
  PackedRows rows;
  rows.ids = integers("ids");
  rows.segments = integers("segments");
  rows.positions = integers("positions");
  rows.offsets = integers("offsets");
  if (file.find("decoder_ids")) rows.decoder_ids = integers("decoder_ids"), rows.decoder_offsets = integers("decoder_offsets");
  PackedBatch batch = to_device(rows, {}, at::kCPU);
  const TensorInfo* targets = file.find("targets");
  if (targets && model.family->head().kind == HeadKind::causal_lm) batch.targets = as_tensor(*targets).clone();
  return model.family->forward(model.weights, batch, {}).logits;
}

double apart(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

/// Folders of rules and extras of PEFT's, for whose deltas other folders may be written.
const std::set<std::string> rules_and_extras = {
    "peft_bias_all_bert",       "peft_layers_bert",   "peft_layer_one_bert", "peft_expressions_bert",
    "peft_all_linear_bert",     "peft_tables_bert",   "peft_tokens_bert",    "peft_tokens_gpt2",
    "peft_tables_gpt2",         "peft_own_head_gpt2", "peft_tables_t5",      "peft_ia3_expressions_bert",
    "peft_norms_and_maps_bert", "peft_bare_bert",     "peft_randlora_gpt2",  "peft_boft_bert"};

/// All other folders of PEFT's among the goldens.
std::set<std::string> plain_folders() {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(goldens() / "deltas"))
    if (entry.is_directory() && !rules_and_extras.contains(entry.path().filename())) names.insert(entry.path().filename());
  return names;
}

/// A folder that PEFT saved: "peft_ia3_bert".
class PeftFolderTest : public ::testing::TestWithParam<std::string> {
 protected:
  const std::string name = GetParam(), base = name.substr(name.rfind('_') + 1);
  const std::filesystem::path folder = goldens() / "deltas" / name;
  const SafetensorsFile saved = SafetensorsFile::open(folder / "logits.safetensors");
  const SafetensorsFile rows = saved.find("ids") ? saved : SafetensorsFile::open(goldens() / (base + "_tiny") / "goldens.safetensors");
  const at::Tensor expected = as_tensor(*saved.find("logits"));
};

TEST_P(PeftFolderTest, GivesItsLogits) { EXPECT_LT(apart(logits(with_peft(base, folder), rows), expected), 1e-4); }

TEST_P(PeftFolderTest, IsTheSameWhenWrittenAndReadAgain) {
  const testing::TemporaryFolder out;
  const auto again = out.path() / "again";
  save_peft(built_plugins(), delta_of_peft(built_plugins(), folder), with_peft(base, folder), base + "_tiny", again);
  EXPECT_LT(apart(logits(with_peft(base, again), rows), expected), 1e-4);
  const auto theirs = read_json(folder / "adapter_config.json"), ours = read_json(again / "adapter_config.json");
  for (const char* field : {"peft_type", "task_type", "r", "num_virtual_tokens", "fan_in_fan_out", "num_layers", "token_dim"}) {
    if (ours.contains(field)) {
      EXPECT_EQ(ours.at(field), theirs.at(field)) << field;
    }
  }
  const auto names = [](const std::filesystem::path& place) {
    std::set<std::string> found;
    const SafetensorsFile file = SafetensorsFile::open(place / "adapter_model.safetensors");
    for (const TensorInfo& tensor : file.tensors()) found.insert(tensor.name);
    return found;
  };
  EXPECT_EQ(names(again), names(folder));
}

INSTANTIATE_TEST_SUITE_P(Methods, PeftFolderTest, ::testing::ValuesIn(plain_folders()), [](const auto& info) { return info.param; });

/// What rules and extras of PEFT's do (make_peft_folders.py): other folders may be written for the same delta.
class PeftRulesTest : public PeftFolderTest {};

TEST_P(PeftRulesTest, GivesItsLogitsAndThoseOfWhatIsWrittenAgain) {
  EXPECT_LT(apart(logits(with_peft(base, folder), rows), expected), 1e-4);
  const testing::TemporaryFolder out;
  const auto again = out.path() / "again";
  save_peft(built_plugins(), delta_of_peft(built_plugins(), folder), with_peft(base, folder), base + "_tiny", again);
  EXPECT_LT(apart(logits(with_peft(base, again), rows), expected), 1e-4);
}

TEST_P(PeftRulesTest, MergesOrSaysWhyNot) {
  const auto delta = attach_delta(built_plugins(), delta_of_peft(built_plugins(), folder), *golden_model(base).family);
  Model model = with_peft(base, folder);
  const auto merged = delta->merge(model.weights);
  if (!merged) {
    EXPECT_FALSE(delta->why_not_merged().empty());
    return;
  }
  model.family = golden_model(base).family;
  model.weights = *merged;
  EXPECT_LT(apart(logits(model, rows), expected), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Rules, PeftRulesTest, ::testing::ValuesIn(rules_and_extras), [](const auto& info) { return info.param; });

/// Beginnings of the SHA-256 of both files as this program has always written them.
const std::map<std::string, std::string> written_digests = {
    {"peft_lora_bert", "3c34d8c3a21e00e6 22ee53337f34dd8e"},
    {"peft_ia3_bert", "58a16384924c533b e0222238884ddbd9"},
    {"peft_ia3_gpt2", "cc7c8d71577b2cd7 d0ae21afd25cbaa8"},
    {"peft_ln_tuning_bert", "7f0e467372ad10f2 234a3b8d053cafab"},
    {"peft_prompt_bert", "28bbb2c2685ad404 a2152a7a54dadd95"},
    {"peft_prompt_t5", "aa9d08ad7f3b39fe d37af23ddc402f87"},
    {"peft_prefix_bert", "e9ab038a27af2b94 c5ae8969ec5ac516"},
    {"peft_prefix_gpt2", "e6b15961c91ddf1e c4c5570b7820c3b2"},
    {"peft_bias_all_bert", "741371d160927458 19522c1f725f7faa"},
    {"peft_layers_bert", "ccfaee9b83a58e46 d022a4889c6349d8"},
    {"peft_layer_one_bert", "9ab2927653719225 39c14a7b96a5cf4d"},
    {"peft_expressions_bert", "6af9699fb50dd707 b72e68509741a48c"},
    {"peft_all_linear_bert", "b855fd644758d392 de9baf540f252543"},
    {"peft_tables_bert", "01eb241a2ad076a9 9d27712e170b651d"},
    {"peft_tokens_bert", "3612e21f9d2bb3f3 33b54f75998d50c0"},
    {"peft_tokens_gpt2", "c8d77c1db823c2ed 64133e32052fbe92"},
    {"peft_tables_gpt2", "f37292c5d6a03c3b b84b5646382c4d06"},
    {"peft_own_head_gpt2", "ea3f071e40c1c9d5 f48a34e2798ca6fe"},
    {"peft_tables_t5", "95d34be882ca7fd0 19ce51b66264ce50"},
    {"peft_ia3_expressions_bert", "d3630921140d7c28 a73bdd8c8f54b1cc"},
    {"peft_norms_and_maps_bert", "04a8d909b8925490 f59243d5ce5da922"},
    {"peft_bare_bert", "cdb1a062b2799b0c 9695e598be89951d"},
};

TEST(Peft, WritesTheSameBytesAsEver) {
  for (const auto& [name, digests] : written_digests) {
    const testing::TemporaryFolder out;
    const std::string base = name.substr(name.rfind('_') + 1);
    const auto folder = goldens() / "deltas" / name;
    save_peft(built_plugins(), delta_of_peft(built_plugins(), folder), with_peft(base, folder), base + "_tiny", out.path());
    const auto start = [&](const char* file) { return sha256_file(out.path() / file).substr(0, 16); };
    EXPECT_EQ(start("adapter_config.json") + " " + start("adapter_model.safetensors"), digests) << name;
  }
}

/// A third party's delta, of whose method only PEFT's name and fields are said.
TEST(Peft, WritesAndReadsAWholeFolderOfAThirdPartysDelta) {
  PluginHost host;
  host.load_file(std::filesystem::path(TSRUN_BINARY_DIR) / "tests/plugins/shifting_delta/shifting_delta.so");
  const DeltaMethod& method = host.delta("shift");
  const DeltaRef delta = given(method);
  const auto adapted = [&](uint64_t seed) {
    Model model = golden_model("bert");
    const std::vector<std::shared_ptr<const Delta>> deltas = {attach_delta(host, delta, *model.family)};
    model.family = adapt(model.family, deltas);
    add_initial_values(deltas, model.weights, Key::root(seed));
    return model;
  };
  const testing::TemporaryFolder out;
  const Model model = adapted(1);
  save_peft(host, delta, model, "bert_tiny", out.path());
  const auto config = read_json(out.path() / "adapter_config.json");
  EXPECT_EQ(config.at("peft_type"), "SHIFT");
  EXPECT_EQ(config.at("task_type"), "SEQ_CLS");
  Model other = adapted(2);
  const std::string name = "bert.encoder.layer.1.attention.self.query.shift";
  ASSERT_FALSE(at::equal(other.weights.at(name), model.weights.at(name)));
  EXPECT_EQ(delta_of_peft(host, out.path()).method, "shift");
  take_peft_values(method, out.path(), *attach_delta(host, delta, *golden_model("bert").family), other);
  EXPECT_TRUE(at::equal(other.weights.at(name), model.weights.at(name)));
}

std::string refusal(const std::function<void()>& call, ErrorKind kind) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return "nothing was refused";
}

std::string refusal_to_write(const std::string& base, const DeltaRef& delta) {
  const testing::TemporaryFolder out;
  return refusal([&] { save_peft(built_plugins(), delta, with_delta(base, delta), base, out.path() / "folder"); }, ErrorKind::user);
}

TEST(Peft, KeepsOfAPrefixWhatItsNetworkMakes) {
  const testing::TemporaryFolder out;
  const DeltaRef delta = given("prefix", {{"num_virtual_tokens", 3}, {"prefix_projection", true}, {"layout", "release"}});
  const SafetensorsFile rows = SafetensorsFile::open(goldens() / "deltas/peft_prefix_bert/logits.safetensors");
  const Model model = with_delta("bert", delta);
  save_peft(built_plugins(), delta, model, "bert_tiny", out.path() / "folded");
  EXPECT_LT(apart(logits(with_peft("bert", out.path() / "folded"), rows), logits(model, rows)), 1e-5);
}

TEST(Peft, WritesWhatElseHasMoved) {
  const testing::TemporaryFolder out;
  const SafetensorsFile rows = SafetensorsFile::open(goldens() / "bert_tiny/goldens.safetensors");
  const DeltaRef delta = given("lora", {{"target_modules", {"query"}}});
  Model model = with_delta("bert", delta);
  const std::vector<std::string> moved = {"bert.pooler.dense.weight", "bert.encoder.layer.1.attention.self.query.weight"};
  for (const std::string& name : moved) model.weights.set(name, model.weights.at(name) + 0.5);
  save_peft(built_plugins(), delta, model, "bert_tiny", out.path() / "moved", moved);
  EXPECT_LT(apart(logits(with_peft("bert", out.path() / "moved"), rows), logits(model, rows)), 1e-5);
}

TEST(Peft, RefusesToWriteWhatItUnderstandsOtherwise) {
  EXPECT_NE(refusal_to_write("t5", given("prefix")).find("in front of an encoder-decoder's decoder alone"), std::string::npos);
  EXPECT_NE(refusal_to_write("bert", given("lora", {{"init_lora_weights", "pissa"}})).find("pissa took"), std::string::npos);
  EXPECT_NE(refusal_to_write("bert", given("adapter")).find("PEFT has no method 'adapter'"), std::string::npos);
}

TEST(Peft, RefusesToReadWhatItUnderstandsOtherwise) {
  const testing::TemporaryFolder out;
  const at::Tensor values = at::zeros({3, 144});
  write_durable(out.path() / "adapter_config.json", R"({"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 3})");
  write_safetensors(out.path() / "adapter_model.safetensors", std::vector<TensorInfo>{as_info("prompt_embeddings", values)});
  EXPECT_NE(refusal([&] { with_peft("t5", out.path()); }, ErrorKind::data).find("the decoder alone"), std::string::npos);
}

/// A folder like a golden one, but for some fields of its configuration.
class ChangedFolder {
 public:
  ChangedFolder(const std::string& name, const nlohmann::json& fields) {
    const auto source = goldens() / "deltas" / name;
    auto config = nlohmann::ordered_json::parse(read_text(source / "adapter_config.json"));
    for (const auto& [field, value] : fields.items()) config[field] = value;
    write_durable(path() / "adapter_config.json", config.dump());
    std::filesystem::copy_file(source / "adapter_model.safetensors", path() / "adapter_model.safetensors");
  }
  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  testing::TemporaryFolder folder_;
};

TEST(Peft, RefusesEveryFieldThatChangesWhatIsComputed) {
  const std::vector<std::pair<std::string, nlohmann::json>> fields = {
      {"layer_replication", {{0, 2}}},  {"target_parameters", {"q.weight"}}, {"use_qalora", true},
      {"use_bdlora", {{"nblocks", 2}}}, {"arrow_config", {{"top_k", 1}}},    {"kasa_config", {{"beta", 1}}},
      {"megatron_config", {{"a", 1}}},  {"velora_config", {{"scale", 1}}},   {"monteclora_config", {{"a", 1}}},
      {"alora_invocation_tokens", {3}}, {"init_lora_weights", "olora"},      {"a_field_of_tomorrow", "x"},
      {"init_lora_weights", "corda"},   {"init_lora_weights", "lora_ga"},    {"another", nlohmann::json::array()}};
  for (const auto& [field, value] : fields) {
    const ChangedFolder folder("peft_lora_bert", {{field, value}});
    EXPECT_NE(refusal([&] { with_peft("bert", folder.path()); }, ErrorKind::data).find(field), std::string::npos) << field;
  }
}

TEST(Peft, TakesFieldsThatMeanNothingHere) {
  const ChangedFolder folder("peft_lora_bert", {{"a_field_of_tomorrow", nullptr},
                                                {"another", false},
                                                {"loftq_config", {{"loftq_bits", 4}}},
                                                {"inference_mode", false},
                                                {"init_lora_weights", "eva"},
                                                {"eva_config", {{"rho", 2.0}}},
                                                {"fan_in_fan_out", true},
                                                {"revision", "main"},
                                                {"qalora_group_size", 32}});
  const SafetensorsFile rows = SafetensorsFile::open(goldens() / "bert_tiny/goldens.safetensors");
  const SafetensorsFile saved = SafetensorsFile::open(goldens() / "deltas/peft_lora_bert/logits.safetensors");
  EXPECT_LT(apart(logits(with_peft("bert", folder.path()), rows), as_tensor(*saved.find("logits"))), 1e-4);
}

TEST(Peft, CallsAWrongConfigurationTheFilesFault) {
  const std::vector<nlohmann::json> wrong = {
      {{"target_modules", "(query"}},       {{"target_modules", {"qurey"}}}, {{"bias", "some"}},           {{"r", "four"}},
      {{"rank_pattern", {{"query", 2.5}}}}, {{"modules_to_save", {3}}},      {{"rank_pattern", {1}}},      {{"lora_dropout", 2}},
      {{"layers_to_transform", {0.5}}},     {{"target_modules", ".*"}},      {{"layers_pattern", "layer"}}};
  for (const nlohmann::json& fields : wrong) {
    const ChangedFolder folder("peft_lora_bert", fields);
    EXPECT_NE(refusal([&] { with_peft("bert", folder.path()); }, ErrorKind::data).find("adapter_config.json"), std::string::npos) << fields;
  }
}

/// What comes of reading a folder whose values have rank 4, under other patterns of ranks.
std::string read_with_ranks(const std::string& patterns) {
  const ChangedFolder folder("peft_lora_bert", nlohmann::json::object());
  auto config = nlohmann::ordered_json::parse(read_text(folder.path() / "adapter_config.json"));
  config["rank_pattern"] = nlohmann::ordered_json::parse(patterns);
  write_durable(folder.path() / "adapter_config.json", config.dump());
  return refusal([&] { with_peft("bert", folder.path()); }, ErrorKind::data);
}

TEST(Peft, CallsAPromptWithoutLengthTheFilesFault) {
  for (const char* name : {"peft_prompt_bert", "peft_prefix_bert"}) {
    const ChangedFolder folder(name, {{"num_virtual_tokens", nullptr}});
    EXPECT_NE(refusal([&] { with_peft("bert", folder.path()); }, ErrorKind::data).find("num_virtual_tokens"), std::string::npos) << name;
  }
}

TEST(Peft, HoldsTheFirstPatternOfTheFile) {
  EXPECT_EQ(read_with_ranks(R"j({"self.(query|value)": 4, "attention.*": 3, "b": 2})j"), "nothing was refused");
  EXPECT_EQ(read_with_ranks(R"j({"query|value": 4, "attention.self.query": 3, "attention": 2})j"), "nothing was refused");
  EXPECT_NE(read_with_ranks(R"j({"attention.*": 3, "a.*": 4})j").find("shape"), std::string::npos);
}

TEST(Peft, RefusesAFolderWithoutItsRandomProjections) {
  const ChangedFolder folder("peft_vera_bert", {{"save_projection", false}});
  const auto file = folder.path() / "adapter_model.safetensors";
  std::vector<TensorInfo> kept;
  const SafetensorsFile source = SafetensorsFile::open(goldens() / "deltas/peft_vera_bert/adapter_model.safetensors");
  for (const TensorInfo& tensor : source.tensors())
    if (tensor.name != "base_model.vera_A") kept.push_back(tensor);
  write_safetensors(file, kept);
  const std::string error = refusal([&] { with_peft("bert", folder.path()); }, ErrorKind::data);
  EXPECT_NE(error.find("'vera_A'"), std::string::npos) << error;
  EXPECT_NE(error.find("save_projection = true"), std::string::npos) << error;
}

TEST(Peft, RefusesFieldsOfWeightUpdatesThatChangeWhatIsComputed) {
  const ChangedFolder folder("peft_vblora_bert", {{"save_only_topk_weights", true}});
  EXPECT_NE(refusal([&] { with_peft("bert", folder.path()); }, ErrorKind::data).find("save_only_topk_weights"), std::string::npos);
}

TEST(Peft, RefusesToWriteTransposedModulesOfMethodsThatKnowNone) {
  for (const char* method : {"loha", "lokr"})
    EXPECT_NE(refusal_to_write("gpt2", given(method)).find("knows no such modules"), std::string::npos) << method;
}

TEST(Peft, NamesTensorsThatNothingTakesAndThoseThatLack) {
  const ChangedFolder more("peft_lora_bert", {{"target_modules", {"query"}}}), fewer("peft_lora_bert", {{"bias", "lora_only"}});
  EXPECT_NE(refusal([&] { with_peft("bert", more.path()); }, ErrorKind::data).find("self.value.lora_"), std::string::npos);
  EXPECT_NE(refusal([&] { with_peft("bert", fewer.path()); }, ErrorKind::data)
                .find("no value of 'bert.encoder.layer.0.attention.self.query.bias'"),
            std::string::npos);
}

TEST(Peft, TellsHowToConvertAPickle) {
  const testing::TemporaryFolder out;
  write_durable(out.path() / "adapter_config.json", R"({"peft_type": "LORA"})");
  write_durable(out.path() / "adapter_model.bin", "PK");
  EXPECT_NE(refusal([&] { delta_of_peft(built_plugins(), out.path()); }, ErrorKind::data).find("adapter_model.bin: is a Python pickle"),
            std::string::npos);
}

TEST(Peft, RefusesTheSavedEmbeddingsOfATiedModel) {
  EXPECT_NE(refusal(
                [] {
                  with_delta("gpt2", given("lora", {{"modules_to_save", {"wte"}}}));
                },
                ErrorKind::user)
                .find("name lm_head too"),
            std::string::npos);
}

TEST(Peft, NamesWhatAFolderLacks) {
  const testing::TemporaryFolder out;
  EXPECT_THROW(delta_of_peft(built_plugins(), out.path()), Error);
  write_durable(out.path() / "adapter_config.json", R"({"peft_type": "BONE"})");
  write_durable(out.path() / "adapter_model.safetensors", "");
  EXPECT_NE(refusal([&] { delta_of_peft(built_plugins(), out.path()); }, ErrorKind::data).find("peft_type is 'BONE'"), std::string::npos);
}

}  // namespace
}  // namespace tsrun::experiment
