#include "tsrun/checkpoint/folder.h"

#include "support/errors.h"
#include "support/temporary_folder.h"
#include "unit/checkpoint/made_file.h"

namespace tsrun {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::made_file;
using testing::message_of;
using testing::TemporaryFolder;

std::string one_tensor(std::string_view name) {
  return made_file(fmt::format(R"({{"{}":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}}})", name), 4);
}

std::string refusal(const TemporaryFolder& folder) {
  return message_of(ErrorKind::data, [&] { CheckpointFolder::open(folder.path()); });
}

// Two shards and their index: "a" in one.safetensors, "b" in two.safetensors.
void write_shards(const TemporaryFolder& folder) {
  folder.write("config.json", R"({"model_type":"bert"})");
  folder.write("one.safetensors", one_tensor("a"));
  folder.write("two.safetensors", one_tensor("b"));
  folder.write("model.safetensors.index.json",
               R"({"metadata":{"total_size":8},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
}

TEST(CheckpointFolder, ReadsConfigAndWeights) {
  const TemporaryFolder folder;
  folder.write("config.json", R"({"model_type":"bert"})");
  folder.write("model.safetensors", one_tensor("a"));
  const auto model = CheckpointFolder::open(folder.path());
  EXPECT_EQ(model.config().at("model_type"), "bert");
  ASSERT_EQ(model.tensors().size(), 1u);
  EXPECT_EQ(model.tensors()[0].name, "a");
}

TEST(CheckpointFolder, ReadsShards) {
  const TemporaryFolder folder;
  write_shards(folder);
  const auto tensors = CheckpointFolder::open(folder.path()).tensors();
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_EQ(tensors[0].name + tensors[1].name, "ab");
}

TEST(CheckpointFolder, DigestChangesWithEveryFile) {
  const TemporaryFolder folder;
  write_shards(folder);
  const std::string before = CheckpointFolder::open(folder.path()).digest();
  EXPECT_EQ(before, CheckpointFolder::open(folder.path()).digest());
  folder.write("config.json", R"({"model_type":"bart"})");
  const std::string config = CheckpointFolder::open(folder.path()).digest();
  EXPECT_NE(before, config);
  std::string other = one_tensor("b");
  other.back() = '!';
  folder.write("two.safetensors", other);
  EXPECT_NE(config, CheckpointFolder::open(folder.path()).digest());
}

TEST(CheckpointFolder, SaysWhatIsMissing) {
  const TemporaryFolder folder;
  EXPECT_THAT(message_of(ErrorKind::data, [&] { CheckpointFolder::open(folder / "none"); }), HasSubstr("no such folder"));
  EXPECT_THAT(refusal(folder), HasSubstr("no config.json"));
  folder.write("config.json", "{}");
  EXPECT_THAT(refusal(folder), HasSubstr("no weights; expected model.safetensors"));
}

TEST(CheckpointFolder, SaysWhereConfigIsMalformed) {
  const TemporaryFolder folder;
  folder.write("config.json", "{\n  \"a\": 1,\n  nope\n}");
  EXPECT_THAT(refusal(folder), HasSubstr("config.json:3:"));
  folder.write("config.json", "[1]");
  EXPECT_THAT(refusal(folder), HasSubstr("holds array, expected an object"));
}

TEST(CheckpointFolder, RefusesAPickleWithTheConversion) {
  const TemporaryFolder folder;
  folder.write("config.json", "{}");
  folder.write("pytorch_model.bin", "PK\x03\x04");
  EXPECT_THAT(refusal(folder), AllOf(HasSubstr("pytorch_model.bin"), HasSubstr("python3 -c")));
}

TEST(CheckpointFolder, RefusesATruncatedFile) {
  const TemporaryFolder folder;
  folder.write("config.json", "{}");
  folder.write("model.safetensors", one_tensor("a").substr(0, 60));
  EXPECT_THAT(refusal(folder), AllOf(HasSubstr("model.safetensors"), HasSubstr("truncated?")));
}

TEST(ShardIndex, NamesAMissingShard) {
  const TemporaryFolder folder;
  write_shards(folder);
  std::filesystem::remove(folder / "two.safetensors");
  EXPECT_THAT(refusal(folder), AllOf(HasSubstr("index.json"), HasSubstr("'two.safetensors', which the folder lacks")));
}

TEST(ShardIndex, NamesATensorInNoShardInAnotherAndInTwo) {
  const TemporaryFolder folder;
  write_shards(folder);
  folder.write("model.safetensors.index.json", R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors","c":"one.safetensors"}})");
  EXPECT_THAT(refusal(folder), HasSubstr("tensor 'c' in 'one.safetensors', but no file has it"));
  folder.write("model.safetensors.index.json", R"({"weight_map":{"a":"two.safetensors","b":"one.safetensors"}})");
  EXPECT_THAT(refusal(folder), HasSubstr("but it is in"));
  folder.write("two.safetensors", one_tensor("a"));
  EXPECT_THAT(refusal(folder), HasSubstr("'a' is in 'one.safetensors' and in 'two.safetensors'"));
}

TEST(ShardIndex, RefusesMalformedMapsAndPathsThatLeaveTheFolder) {
  const TemporaryFolder folder;
  write_shards(folder);
  for (const auto* map :
       {"{}", "[]", "1", R"({"weight_map":{}})", R"({"weight_map":[]})", R"({"weight_map":{"a":1}})", R"({"weight_map":{"a":""}})",
        R"({"weight_map":{"a":".."}})", R"({"weight_map":{"a":"../one.safetensors"}})", R"({"weight_map":{"a":"/etc/passwd"}})"}) {
    folder.write("model.safetensors.index.json", map);
    EXPECT_THAT(refusal(folder), HasSubstr("index.json")) << map;
  }
}

}  // namespace
}  // namespace tsrun
