#include "model/initial.h"
#include "support.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tsrun {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::shared_ptr<const Tokenizer> small_tokenizer() {
  std::vector<std::string> vocabulary = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  for (int i = 5; i < 50; ++i) vocabulary.push_back("w" + std::to_string(i));
  return make_wordpiece(vocabulary);
}

Model small_model(const HeadSpec& head = two_classes) { return initialise_model(small_config(), head, small_tokenizer(), Key::root(4)); }

/// `change` edits the weights of a saved model.
template <class Change>
void rewrite(const std::filesystem::path& folder, const Model& model, Change change) {
  save_model(model, folder);
  std::map<std::string, at::Tensor> tensors;
  for (const std::string& name : model.weights.names()) tensors[name] = model.weights.at(name);
  change(tensors);
  Weights weights;
  for (const auto& [name, tensor] : tensors) weights.set(name, tensor);
  save_weights(weights, folder / "model.safetensors");
}

std::string refusal_of(const std::filesystem::path& folder, const HeadSpec& head = two_classes) {
  try {
    load_model(folder, head, Key::root(0));
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    return error.what();
  }
  return "accepted";
}

TEST(Load, GivesBackWhatWasSaved) {
  const TestFolder folder;
  const Model model = small_model();
  save_model(model, folder.path());
  const Model loaded = load_model(folder.path(), two_classes, Key::root(0));
  EXPECT_EQ(loaded.weights.names(), model.weights.names());
  for (const std::string& name : model.weights.names()) EXPECT_TRUE(at::equal(model.weights.at(name), loaded.weights.at(name))) << name;
  EXPECT_TRUE(loaded.initialised.empty());
  EXPECT_EQ(loaded.tokenizer->vocabulary_size(), 50);
}

TEST(Load, AcceptsNamesWithoutThePrefixAndBuffersAndHalves) {
  const TestFolder folder;
  const Model model = small_model();
  rewrite(folder.path(), model, [](std::map<std::string, at::Tensor>& tensors) {
    std::map<std::string, at::Tensor> bare;
    for (const auto& [name, tensor] : tensors) bare[name.starts_with("bert.") ? name.substr(5) : name] = tensor.to(at::kBFloat16);
    bare["embeddings.position_ids"] = at::arange(32).view({1, 32});
    bare["encoder.layer.1.output.dense.weight"] = bare["encoder.layer.1.output.dense.weight"].to(at::kHalf);
    tensors = bare;
  });
  const Model loaded = load_model(folder.path(), two_classes, Key::root(0));
  for (const std::string& name : model.weights.names()) {
    EXPECT_EQ(loaded.weights.at(name).scalar_type(), at::kFloat);
    EXPECT_LT(largest_difference(model.weights.at(name), loaded.weights.at(name)), 1e-2) << name;
  }
}

TEST(Load, AcceptsTheOldestNamesOfNorms) {
  const TestFolder folder;
  const Model model = small_model();
  rewrite(folder.path(), model, [](std::map<std::string, at::Tensor>& tensors) {
    std::map<std::string, at::Tensor> old;
    for (const auto& [now, tensor] : tensors) {
      std::string name = now;
      if (name.ends_with("LayerNorm.weight")) name = name.substr(0, name.size() - 6) + "gamma";
      if (name.ends_with("LayerNorm.bias")) name = name.substr(0, name.size() - 4) + "beta";
      old[name] = tensor;
    }
    tensors = old;
  });
  EXPECT_EQ(refusal_of(folder.path()), "accepted");
}

TEST(Load, InitialisesAMissingHeadUnderItsKey) {
  const TestFolder folder;
  rewrite(folder.path(), small_model(), [](std::map<std::string, at::Tensor>& tensors) {
    tensors.erase("classifier.weight");
    tensors.erase("classifier.bias");
  });
  const Model one = load_model(folder.path(), two_classes, Key::root(1)), again = load_model(folder.path(), two_classes, Key::root(1));
  const Model other = load_model(folder.path(), two_classes, Key::root(2));
  EXPECT_THAT(one.initialised, ElementsAre("classifier.weight", "classifier.bias"));
  EXPECT_TRUE(at::equal(one.weights.at("classifier.weight"), again.weights.at("classifier.weight")));
  EXPECT_FALSE(at::equal(one.weights.at("classifier.weight"), other.weights.at("classifier.weight")));
}

TEST(Load, TakesTheEncoderOfAnotherHead) {
  const TestFolder folder;
  const Model words = small_model({HeadKind::masked_lm, 0});
  save_model(words, folder.path());
  const Model loaded = load_model(folder.path(), two_classes, Key::root(1));
  EXPECT_EQ(loaded.initialised.size(), 4u);  // pooler and classifier
  EXPECT_TRUE(at::equal(loaded.weights.at("bert.embeddings.LayerNorm.weight"), words.weights.at("bert.embeddings.LayerNorm.weight")));
}

TEST(Load, ListsEverythingThatDoesNotFit) {
  const TestFolder folder;
  rewrite(folder.path(), small_model(), [](std::map<std::string, at::Tensor>& tensors) {
    tensors.erase("bert.encoder.layer.0.attention.self.query.bias");
    tensors["bert.encoder.layer.1.output.dense.weight"] = at::zeros({24, 41});
    tensors["bert.encoder.layer.2.output.dense.weight"] = at::zeros({24, 40});
  });
  EXPECT_THAT(refusal_of(folder.path()),
              AllOf(HasSubstr("missing 'bert.encoder.layer.0.attention.self.query.bias' [24]"),
                    HasSubstr("'bert.encoder.layer.1.output.dense.weight' has shape [24, 41], expected [24, 40]"),
                    HasSubstr("unexpected 'bert.encoder.layer.2.output.dense.weight'")));
}

TEST(Load, AcceptsATokenizerLargerThanTheVocabulary) {
  const TestFolder folder;
  nlohmann::json config = small_config();
  config["vocab_size"] = 40;
  save_model(initialise_model(config, two_classes, small_tokenizer(), Key::root(4)), folder.path());
  EXPECT_EQ(refusal_of(folder.path()), "accepted");
}

TEST(Load, ReadsBareWeightsWithoutAHead) {
  const TestFolder folder;
  const Model model = small_model();
  rewrite(folder.path(), model, [](std::map<std::string, at::Tensor>& tensors) { tensors.erase("classifier.weight"); });
  const Weights weights = load_weights(folder.path() / "model.safetensors", *model.family);
  EXPECT_EQ(weights.size(), model.weights.size() - 1);
  EXPECT_EQ(weights.find("classifier.weight"), nullptr);
}

TEST(Save, WritesTheNumberOfOutputs) {
  const TestFolder folder;
  save_model(small_model({HeadKind::classification, 5}), folder.path());
  const nlohmann::json config = read_json(folder.path() / "config.json");
  EXPECT_EQ(config.at("id2label").size(), 5u);
  EXPECT_EQ(config.at("architectures").at(0), "BertForSequenceClassification");
}

}  // namespace
}  // namespace tsrun
