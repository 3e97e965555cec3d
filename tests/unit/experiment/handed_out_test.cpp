#include "experiment/handed_out.h"

#include <gtest/gtest.h>

namespace tsrun::experiment {
namespace {

using nlohmann::json;

const json kHandle = {{"artifact", "model"}, {"key", "abc"}, {"layers", 2}, {"facts", {{"labels", json::array({"no", "yes"})}}}};

TEST(HandedOut, KnowsWhatItReturned_WithFieldsThatARecipeAdds) {
  HandedOut handles;
  handles.remember({{"artifact", "train"}, {"key", "def"}, {"model", kHandle}});
  json noted = kHandle;
  noted["note"] = "hello";
  EXPECT_TRUE(handles.knows(json{{"model", kHandle}, {"epochs", 2}}));
  EXPECT_TRUE(handles.knows(json{{"model", noted}}));
}

TEST(HandedOut, DoesNotKnowWhatARecipeMadeUp_OrChanged) {
  HandedOut handles;
  handles.remember(kHandle);
  json changed = kHandle, lacking = kHandle;
  changed["facts"]["labels"][0] = "maybe";
  lacking.erase("layers");
  EXPECT_FALSE(handles.knows(changed));
  EXPECT_FALSE(handles.knows(lacking));
  EXPECT_FALSE(handles.knows(json{{"artifact", "model"}, {"key", "other"}, {"layers", 2}}));
}

}  // namespace
}  // namespace tsrun::experiment
