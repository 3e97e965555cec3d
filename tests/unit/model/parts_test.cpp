#include "tsrun/model/parts.h"

#include "tsrun/base/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace tsrun {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Parts, HaveNamesThatAreReadBack) {
  for (const Part part : {Part::embeddings, Part::encoder, Part::decoder, Part::pooler, Part::head, Part::delta})
    EXPECT_EQ(parse_part(name_of(part), "here"), part);
  EXPECT_EQ(part_names().size(), 6U);
}

TEST(Parts, OfAModelAreAllButTheDelta) { EXPECT_THAT(own_part_names(), ElementsAre("embeddings", "encoder", "decoder", "pooler", "head")); }

TEST(Parts, RefuseAnUnknownName_WithTheNearMiss) {
  try {
    parse_part("encodr", "train: option 'train'");
    FAIL() << "an unknown part was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("train: option 'train': unknown part 'encodr'"), HasSubstr("did you mean 'encoder'?")));
  }
}

TEST(Parts, WordEmbeddings_AreFound_WherePositionsAreAsManyToo) {
  const nlohmann::json config = {{"model_type", "bert"},         {"vocab_size", 32},         {"hidden_size", 16},
                                 {"num_hidden_layers", 1},       {"num_attention_heads", 2}, {"intermediate_size", 32},
                                 {"max_position_embeddings", 32}};
  const auto family = make_family(config, {}, "config.json");
  const ParameterInfo* words = word_embeddings(*family);
  ASSERT_NE(words, nullptr);
  EXPECT_EQ(words->name, "bert.embeddings.word_embeddings.weight");
  EXPECT_EQ(encoder_layers(*family), 1);
}

}  // namespace
}  // namespace tsrun
