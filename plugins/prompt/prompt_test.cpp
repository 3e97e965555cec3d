#include "tsrun/plugin_testing/delta.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

namespace tsrun::prompt {
namespace {

using namespace plugin_testing;

const bool cases = add_delta_case("prompt", nlohmann::json::object()) &&
                   add_delta_case("prompt", {{"num_virtual_tokens", 3}, {"prompt_tuning_init", "RANDOM"}, {"init_std", 0.5}});

TEST(Prompt, StartsFromRowsOfTheVocabularyThatItsKeyDraws) {
  const SmallModel model = small_gpt2();
  const at::Tensor one = attach(delta_method("prompt"), model, {}, 1).first.at("prompt_embeddings"),
                   other = attach(delta_method("prompt"), model, {}, 2).first.at("prompt_embeddings");
  EXPECT_EQ(one.sizes().vec(), (std::vector<int64_t>{20, 24}));
  EXPECT_FALSE(at::equal(one, other));
  const at::Tensor& words = model.weights.at("transformer.wte.weight");
  for (int64_t i = 0; i < one.size(0); ++i) EXPECT_TRUE((words == one[i]).all(1).any().item<bool>()) << "row " << i;
}

TEST(Prompt, RefusesMoreVectorsThanTheModelHasPlaces) {
  try {
    attach(delta_method("prompt"), small_gpt2(), {{"num_virtual_tokens", 64}});
    FAIL() << "a prompt as long as the longest row was accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("64 positions"), std::string::npos) << error.what();
  }
}

TEST(Prompt, NamesTheNearestChoice) {
  try {
    attach(delta_method("prompt"), small_gpt2(), {{"prompt_tuning_init", "RANDON"}});
    FAIL() << "an unknown choice was accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'RANDOM'"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tsrun::prompt
