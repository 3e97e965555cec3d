#include "experiment/identity.h"

#include "support/folder_test.h"
#include "support/golden_models.h"
#include "tsrun/data/task.h"
#include "tsrun/experiment/lab.h"

#include <gmock/gmock.h>

/// A key holds every file that decides a result, and no other.
namespace tsrun::experiment {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class IdentityTest : public FolderTest {
 protected:
  fs::path write(const std::string& name, const std::string& text) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }

  /// A small model with every file that the program reads beside weights.
  fs::path model_folder(const std::string& name = "model") {
    fs::create_directories(folder_ / name);
    for (const char* file : {"config.json", "model.safetensors"}) fs::copy(goldens() / "bert_tiny" / file, folder_ / name / file);
    for (const char* file : {"tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "spiece.model", "tokenizer.model",
                             "added_tokens.json", "special_tokens_map.json", "tokenizer_config.json", "generation_config.json"})
      write(name + "/" + file, "{}");
    return folder_ / name;
  }

  fs::path task_folder() {
    write("task/train.tsv", "text\tlabel\nthe old man\tyes\nthe boat\tno\n");
    write("task/dev.tsv", "text\tlabel\nthe old boat\tyes\n");
    write("task/task.toml",
          "name = 't'\nkind = 'classification'\ntext = 'text'\nlabel = 'label'\nlabels = ['yes', 'no']\nmetrics = ['accuracy']\n"
          "[splits]\ntrain = 'train.tsv'\ndev = 'dev.tsv'\n[format]\ntype = 'tsv'\nheader = true\n");
    return folder_ / "task";
  }

  std::string key_of(const char* operation, const fs::path& spec) {
    LabSettings settings;
    settings.store = folder_ / "store";
    Lab lab(settings);
    return lab.call(operation, {{"spec", spec.string()}}).at("key");
  }

  /// Adds white space, which changes no JSON, TOML or table, yet bytes.
  static void touch(const fs::path& file) { std::ofstream(file, std::ios::app) << (file.extension() == ".tsv" ? "the man\tno\n" : "\n"); }

  static std::vector<fs::path> files_in(const fs::path& folder) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
    return files;
  }
};

TEST_F(IdentityTest, FollowsEveryFileOfAModelsFolder) {
  const auto folder = model_folder();
  const auto before = model_digest(folder);
  for (const auto& file : files_in(folder)) {
    const auto saved = read_text(file);
    if (file.extension() == ".safetensors") {  // any other byte of a tensor
      std::string changed = saved;
      changed.back() = static_cast<char>(changed.back() ^ 1);
      std::ofstream(file, std::ios::binary) << changed;
    } else {
      touch(file);
    }
    EXPECT_NE(model_digest(folder), before) << file.filename();
    std::ofstream(file, std::ios::binary) << saved;
    EXPECT_EQ(model_digest(folder), before) << file.filename();
  }
}

TEST_F(IdentityTest, FollowsFilesThatAppearOrGo) {
  const auto folder = model_folder();
  const auto before = model_digest(folder);
  for (const auto& file : files_in(folder)) {
    if (file.filename() == "config.json" || file.filename() == "model.safetensors") continue;
    fs::rename(file, folder_ / "aside");
    EXPECT_NE(model_digest(folder), before) << file.filename();
    fs::rename(folder_ / "aside", file);
  }
  fs::rename(folder / "added_tokens.json", folder / "special.json");
  EXPECT_NE(model_digest(folder), before) << "a file that goes by another name";
}

TEST_F(IdentityTest, FollowsShardsAndTheirIndex) {
  const auto folder = model_folder();
  const auto whole = model_digest(folder);
  fs::rename(folder / "model.safetensors", folder / "model-00001-of-00001.safetensors");
  const auto file = SafetensorsFile::open(folder / "model-00001-of-00001.safetensors");
  json map = json::object();
  for (const auto& tensor : file.tensors()) map[tensor.name] = "model-00001-of-00001.safetensors";
  std::ofstream(folder / "model.safetensors.index.json") << json{{"weight_map", map}}.dump();
  const auto sharded = model_digest(folder);
  EXPECT_NE(sharded, whole);
  touch(folder / "model.safetensors.index.json");
  EXPECT_NE(model_digest(folder), sharded);
}

TEST_F(IdentityTest, IgnoresFilesThatDecideNothing_AndTheFoldersPlace) {
  const auto before = model_digest(model_folder());
  for (const char* name : {"README.md", ".gitattributes", "training_args.bin", "flax_model.msgpack"})
    write(std::string("model/") + name, "x");
  EXPECT_EQ(model_digest(folder_ / "model"), before);
  EXPECT_EQ(model_digest(model_folder("elsewhere")), before);
}

TEST_F(IdentityTest, GivesAModelAnotherKey_WhenItsTokenizerChanges) {
  const auto folder = model_folder();
  const auto before = key_of("model", folder);
  touch(folder / "tokenizer.json");
  EXPECT_NE(key_of("model", folder), before);
}

TEST_F(IdentityTest, FollowsEveryFileOfATask_AndTheOrderOfLabels) {
  const auto folder = task_folder();
  const auto before = key_of("task", folder);
  for (const auto& file : files_in(folder)) {
    const auto saved = read_text(file);
    touch(file);
    EXPECT_NE(key_of("task", folder), before) << file.filename();
    std::ofstream(file, std::ios::binary) << saved;
  }
  auto toml = read_text(folder / "task.toml");
  toml.replace(toml.find("'yes', 'no'"), 11, "'no', 'yes'");
  std::ofstream(folder / "task.toml") << toml;
  EXPECT_NE(key_of("task", folder), before);
}

TEST_F(IdentityTest, IgnoresOtherFilesOfATask) {
  const auto folder = task_folder();
  const auto before = key_of("task", folder);
  write("task/README.md", "x");
  write("task/old.tsv", "x");
  EXPECT_EQ(key_of("task", folder), before);
}

TEST_F(IdentityTest, FollowsBothFilesOfAPeftFolder_ButNotItsPlace) {
  write("peft/adapter_config.json", "{}");
  write("peft/adapter_model.safetensors", "x");
  const auto before = peft_files(folder_ / "peft");
  fs::copy(folder_ / "peft", folder_ / "moved");
  EXPECT_EQ(peft_files(folder_ / "moved"), before);
  for (const char* name : {"adapter_config.json", "adapter_model.safetensors"}) {
    const auto file = folder_ / "moved" / name;
    const auto saved = read_text(file);
    touch(file);
    EXPECT_NE(peft_files(folder_ / "moved"), before) << name;
    std::ofstream(file) << saved;
  }
}

TEST_F(IdentityTest, RefusesAModelThatChangedAfterItWasNamed) {
  const auto folder = model_folder();
  LabSettings settings;
  settings.store = folder_ / "store";
  Lab lab(settings);
  const auto model = ModelRef::from_json(lab.call("model", {{"spec", folder.string()}}));
  require_unchanged(model);
  touch(folder / "tokenizer_config.json");
  const auto error = error_of([&] { require_unchanged(model); });
  EXPECT_EQ(error.kind(), ErrorKind::data);
  EXPECT_THAT(error.what(), HasSubstr(folder.string()));
}

}  // namespace
}  // namespace tsrun::experiment
