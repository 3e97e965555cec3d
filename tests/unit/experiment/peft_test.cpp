// PEFT's folders, read and written (tests/goldens/deltas/peft_*, made by make_deltas.py and make_peft_folders.py).
#include "experiment/peft.h"
#include "support/golden_models.h"
#include "support/temporary_folder.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/tune/delta.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

namespace tsrun {
namespace {

/// The tiny model of a kind with deltas' first values.
Model with_delta(const std::string& base, const nlohmann::json& delta) {
  Model model = golden_model(base);
  const std::shared_ptr<const Family> family = model.family;
  const DeltaMethod& method = built_plugins().delta(delta.at("method"));
  const std::vector<std::shared_ptr<const Delta>> deltas = {method.attach(*family, Options(delta.at("options")))};
  model.family = adapt(family, deltas);
  add_first_values(deltas, model.weights, Key::root(1));
  return model;
}

Model with_peft(const std::string& base, const std::filesystem::path& folder) {
  Model model = with_delta(base, delta_of_peft(built_plugins(), folder));
  take_peft_values(folder, model);
  return model;
}

nlohmann::json given(const std::string& method, const nlohmann::json& options = nlohmann::json::object()) {
  const DeltaMethod& plugin = built_plugins().delta(method);
  return {{"method", method}, {"version", plugin.version()}, {"options", plugin.options().resolve(options, method).json()}};
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

/// A folder that PEFT saved: "peft_ia3_bert".
class PeftFolderTest : public ::testing::TestWithParam<const char*> {
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

INSTANTIATE_TEST_SUITE_P(Methods, PeftFolderTest,
                         ::testing::Values("peft_lora_bert", "peft_ia3_bert", "peft_ia3_gpt2", "peft_ln_tuning_bert", "peft_prompt_bert",
                                           "peft_prompt_t5", "peft_prefix_bert", "peft_prefix_gpt2"),
                         [](const auto& info) { return std::string(info.param); });

std::string refusal(const std::function<void()>& call, ErrorKind kind) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return "nothing was refused";
}

std::string refusal_to_write(const std::string& base, const nlohmann::json& delta) {
  const testing::TemporaryFolder out;
  return refusal([&] { save_peft(built_plugins(), delta, with_delta(base, delta), base, out.path() / "folder"); }, ErrorKind::user);
}

TEST(Peft, KeepsOfAPrefixWhatItsNetworkMakes) {
  const testing::TemporaryFolder out;
  const nlohmann::json delta = given("prefix", {{"num_virtual_tokens", 3}, {"prefix_projection", true}, {"layout", "release"}});
  const SafetensorsFile rows = SafetensorsFile::open(goldens() / "deltas/peft_prefix_bert/logits.safetensors");
  const Model model = with_delta("bert", delta);
  save_peft(built_plugins(), delta, model, "bert_tiny", out.path() / "folded");
  EXPECT_LT(apart(logits(with_peft("bert", out.path() / "folded"), rows), logits(model, rows)), 1e-5);
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
  write_durable(out.path() / "adapter_config.json", R"({"peft_type": "LORA", "init_lora_weights": "olora"})");
  EXPECT_NE(refusal([&] { with_peft("bert", out.path()); }, ErrorKind::user).find("init_lora_weights is 'olora'"), std::string::npos);
}

TEST(Peft, NamesWhatAFolderLacks) {
  const testing::TemporaryFolder out;
  EXPECT_THROW(delta_of_peft(built_plugins(), out.path()), Error);
  write_durable(out.path() / "adapter_config.json", R"({"peft_type": "BONE"})");
  write_durable(out.path() / "adapter_model.safetensors", "");
  EXPECT_NE(refusal([&] { delta_of_peft(built_plugins(), out.path()); }, ErrorKind::data).find("peft_type is 'BONE'"), std::string::npos);
}

}  // namespace
}  // namespace tsrun
