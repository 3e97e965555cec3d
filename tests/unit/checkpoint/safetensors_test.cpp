#include "tsrun/checkpoint/safetensors.h"

#include <cstring>
#include <numeric>

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

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

std::string refusal(const std::string& file) {
  return message_of(ErrorKind::data, [&] { SafetensorsFile::parse(bytes_of(file), "x.safetensors"); });
}
std::string refusal(std::string_view header, size_t data_size) { return refusal(made_file(header, data_size)); }

TEST(Safetensors, ReadsNamesTypesShapesAndBytes) {
  const std::string file = made_file(
      R"({"b":{"dtype":"F32","shape":[2,1],"data_offsets":[2,10]},"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"__metadata__":{"k":"v"}})",
      10);
  const auto read = SafetensorsFile::parse(bytes_of(file), "x");
  ASSERT_EQ(read.tensors().size(), 2u);
  EXPECT_EQ(read.tensors()[0].name, "a");  // in the order of offsets
  EXPECT_EQ(read.tensors()[1].type, DataType::float32);
  EXPECT_EQ(read.tensors()[1].shape, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(std::memcmp(read.find("b")->bytes.data(), "cdefghij", 8), 0);
  EXPECT_EQ(read.find("c"), nullptr);
  EXPECT_EQ(read.metadata().at("k"), "v");
}

TEST(Safetensors, AcceptsWhatTheFormatAllows) {
  for (const auto& [header, size] : std::vector<std::pair<std::string, size_t>>{
           {"{}", 0},
           {"{}   \n\t ", 0},                                                   // padding at the end
           {R"({"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})", 4},     // a scalar
           {R"({"e":{"dtype":"F32","shape":[0,7],"data_offsets":[0,0]}})", 0},  // no elements
           {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"e":{"dtype":"F64","shape":[0],"data_offsets":[1,1]}})", 1},
           {R"({"\u00e4\ud83d\ude00":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1},  // any name
           {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"__metadata__":{}})", 1}}) {
    const std::string file = made_file(header, size);
    EXPECT_NO_THROW(SafetensorsFile::parse(bytes_of(file), "x")) << header;
  }
}

TEST(Safetensors, KnowsEveryDataType) {
  for (const auto& [name, size] : std::vector<std::pair<std::string, size_t>>{{"BOOL", 1},
                                                                              {"U8", 1},
                                                                              {"I8", 1},
                                                                              {"I16", 2},
                                                                              {"U16", 2},
                                                                              {"F16", 2},
                                                                              {"BF16", 2},
                                                                              {"I32", 4},
                                                                              {"U32", 4},
                                                                              {"F32", 4},
                                                                              {"F64", 8},
                                                                              {"I64", 8},
                                                                              {"U64", 8},
                                                                              {"F8_E4M3", 1},
                                                                              {"F8_E5M2", 1}}) {
    const std::string file =
        made_file(fmt::format(R"({{"t":{{"dtype":"{}","shape":[3],"data_offsets":[0,{}]}}}})", name, 3 * size), 3 * size);
    const auto read = SafetensorsFile::parse(bytes_of(file), "x");
    EXPECT_EQ(name_of(read.tensors()[0].type), name);
    EXPECT_EQ(size_of(read.tensors()[0].type), static_cast<int64_t>(size));
  }
}

struct Malformed {
  std::string name, header;
  size_t data_size;
  std::string complaint;
};
void PrintTo(const Malformed& one, std::ostream* out) { *out << one.name; }
class RefusesMalformed : public ::testing::TestWithParam<Malformed> {};

TEST_P(RefusesMalformed, NamingFileAndRule) {
  EXPECT_THAT(refusal(GetParam().header, GetParam().data_size),
              AllOf(HasSubstr("x.safetensors: not a valid safetensors file"), HasSubstr(GetParam().complaint)));
}

const std::vector<Malformed> malformed{
    {"EmptyHeader", "", 0, "does not start with '{'"},
    {"LeadingSpace", " {}", 0, "does not start with '{'"},
    {"AnArray", "[]", 0, "does not start with '{'"},
    {"NotJson", "{nope}", 0, "not UTF-8 JSON"},
    {"TextAfterTheObject", "{} {}", 0, "not UTF-8 JSON"},
    {"ZeroAfterTheObject", std::string("{}\0", 3), 0, "byte 2 of its header is 0"},
    {"InvalidUtf8", "{\"\xff\":1}", 0, "not UTF-8 JSON"},
    {"UnpairedSurrogate", R"({"\ud800":{}})", 0, "not UTF-8 JSON"},
    {"DuplicateTensor", R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1,
     R"(the key "a" twice)"},
    {"DuplicateField", R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1, R"(the key "dtype" twice)"},
    {"DuplicateMetadata", R"({"__metadata__":{"x":"1","x":"2"}})", 0, R"(the key "x" twice)"},
    {"DeepNesting", R"({"a":{"shape":[[[[1]]]]}})", 0, "nests deeper"},
    {"EntryIsNoObject", R"({"a":7})", 0, R"(tensor "a" is 7, expected an object)"},
    {"NoType", R"({"a":{"shape":[1],"data_offsets":[0,1]}})", 1, "has no 'dtype'"},
    {"NoShape", R"({"a":{"dtype":"U8","data_offsets":[0,1]}})", 1, "has no 'shape'"},
    {"NoOffsets", R"({"a":{"dtype":"U8","shape":[1]}})", 1, "has no 'data_offsets'"},
    {"UnknownType", R"({"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}})", 4, R"(dtype is "F31", expected one of)"},
    {"TypeIsANumber", R"({"a":{"dtype":3,"shape":[1],"data_offsets":[0,4]}})", 4, "dtype is 3"},
    {"NegativeExtent", R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", 1, "shape is [-1]"},
    {"FractionalExtent", R"({"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}})", 1, "shape is [1.0]"},
    {"HugeExtent", R"({"a":{"dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,1]}})", 1, "shape is"},
    {"ExtentBeyondSigned", R"({"a":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,1]}})", 1, "shape is"},
    {"ShapeIsANumber", R"({"a":{"dtype":"U8","shape":1,"data_offsets":[0,1]}})", 1, "shape is 1"},
    {"ProductOverflows", R"({"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0,
     "more elements than 63 bits count"},
    {"BytesOverflow", R"({"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}})", 0, "more elements than 63 bits count"},
    {"OneOffset", R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", 1, "has 1 numbers"},
    {"NegativeOffset", R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}})", 1, "data_offsets is [-1,0]"},
    {"EndBeforeBegin", R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}})", 1, "begin at 1 and end before, at 0"},
    {"ShapeContradictsOffsets", R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4,
     "F32 of shape [2] needs 8 bytes, its data_offsets span 4"},
    {"Hole", R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})", 3,
     "belong to nobody"},
    {"HoleAtTheStart", R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", 2, "belong to nobody"},
    {"Overlap", R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})", 3,
     "inside the one before it"},
    {"SameBytesTwice", R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", 2,
     "inside the one before it"},
    {"PastTheEnd", R"({"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]}})", 4, "ends at byte 5 of the data, but there are 4"},
    {"FarPastTheEnd", R"({"a":{"dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,9223372036854775807]}})", 4, "but there are 4"},
    {"BytesAfterTheLast", R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 2, "end at byte 1 of the data, but there are 2"},
    {"DataWithoutTensors", "{}", 5, "end at byte 0 of the data, but there are 5"},
    {"MetadataIsAList", R"({"__metadata__":[]})", 0, "expected an object of texts"},
    {"MetadataHoldsANumber", R"({"__metadata__":{"a":1}})", 0, R"(has 1 at "a", expected text)"},
    {"MetadataHoldsAnObject", R"({"__metadata__":{"a":{}}})", 0, "expected text"},
};
INSTANTIATE_TEST_SUITE_P(Header, RefusesMalformed, ::testing::ValuesIn(malformed), [](const auto& info) { return info.param.name; });

TEST(Safetensors, RefusesLengthsThatTheFileCannotHave) {
  EXPECT_THAT(refusal(std::string(7, '\0')), HasSubstr("it has 7 bytes"));
  EXPECT_THAT(refusal(std::string("\x01\xe1\xf5\x05\0\0\0\0{}", 10)), HasSubstr("said to have 100000001 bytes"));
  EXPECT_THAT(refusal(std::string(8, '\xff') + "{}"), HasSubstr("said to have 18446744073709551615 bytes"));
  EXPECT_THAT(refusal(std::string("\x03\0\0\0\0\0\0\0{}", 10)), HasSubstr("only 2 follow"));
}

TEST(Safetensors, RefusesAFileCutAtAnyByte) {
  const std::string file = made_file(
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"I64","shape":[1],"data_offsets":[16,24]}})",
      24);
  ASSERT_NO_THROW(SafetensorsFile::parse(bytes_of(file), "x"));
  for (size_t size = 0; size < file.size(); ++size) EXPECT_NE(refusal(file.substr(0, size)), "") << size;
}

TEST(Safetensors, RefusesOrReadsButNeverCrashesOnAnyChangedByte) {
  const std::string file =
      made_file(R"({"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"I8","shape":[1],"data_offsets":[16,17]}})", 17);
  for (size_t at = 0; at < file.size(); ++at) {
    for (const char value : {'\0', '\x80', '\xff', '0', '9', '"', '{', '}', '[', ',', '-', ' '}) {
      std::string changed = file;
      changed[at] = value;
      try {
        const auto read = SafetensorsFile::parse(bytes_of(changed), "x");
        for (const TensorInfo& tensor : read.tensors()) ASSERT_LE(tensor.bytes.size(), 17u);
      } catch (const Error& error) {
        ASSERT_EQ(static_cast<int>(error.kind()), static_cast<int>(ErrorKind::data)) << error.what();
      }
    }
  }
}

TEST(Safetensors, NamesTheFileThatLfsLeftOut) {
  EXPECT_THAT(refusal("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"), HasSubstr("git lfs pull"));
}

std::vector<TensorInfo> some_tensors(std::span<const float> numbers) {
  return {{"z", DataType::float32, {2, 3}, std::as_bytes(numbers.first(6))},
          {"empty", DataType::bfloat16, {0, 4}, {}},
          {"a \"quoted\" name", DataType::uint8, {4}, std::as_bytes(numbers.last(1))}};
}

TEST(WriteSafetensors, ReadsBackWhatItWrote) {
  const TemporaryFolder folder;
  std::vector<float> numbers(7);
  std::iota(numbers.begin(), numbers.end(), 1.5f);
  const auto tensors = some_tensors(numbers);
  write_safetensors(folder / "deep/x.safetensors", tensors, {{"format", "pt"}});
  const auto read = SafetensorsFile::open(folder / "deep/x.safetensors");
  ASSERT_EQ(read.tensors().size(), tensors.size());
  for (const TensorInfo& tensor : tensors) {
    const TensorInfo* same = read.find(tensor.name);
    ASSERT_NE(same, nullptr);
    EXPECT_EQ(same->type, tensor.type);
    EXPECT_EQ(same->shape, tensor.shape);
    EXPECT_TRUE(std::equal(same->bytes.begin(), same->bytes.end(), tensor.bytes.begin(), tensor.bytes.end()));
  }
  EXPECT_EQ(read.metadata(), (std::map<std::string, std::string>{{"format", "pt"}}));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(read.find("z")->bytes.data()) % 8, 0u);
}

TEST(WriteSafetensors, WritesTheSameBytesTwice) {
  const TemporaryFolder folder;
  const std::vector<float> numbers(7, 2.f);
  for (const auto name : {"a", "b"}) write_safetensors(folder / name, some_tensors(numbers), {{"x", "1"}, {"b", "2"}});
  EXPECT_EQ(read_text(folder / "a"), read_text(folder / "b"));
}

TEST(WriteSafetensors, RefusesTensorsThatContradictThemselves) {
  const TemporaryFolder folder;
  const std::vector<float> numbers(4);
  const auto bytes = std::as_bytes(std::span(numbers));
  const auto writes = [&](std::vector<TensorInfo> tensors) { return [&, tensors] { write_safetensors(folder / "x", tensors); }; };
  EXPECT_THAT(message_of(ErrorKind::internal, writes({{"a", DataType::float32, {3}, bytes}})), HasSubstr("'a' of F32 [3] has 16 bytes"));
  EXPECT_THAT(message_of(ErrorKind::internal, writes({{"a", DataType::float32, {4}, bytes}, {"a", DataType::float32, {4}, bytes}})),
              HasSubstr("'a' is taken"));
  EXPECT_THAT(message_of(ErrorKind::internal, writes({{"__metadata__", DataType::float32, {4}, bytes}})), HasSubstr("is taken"));
  EXPECT_FALSE(std::filesystem::exists(folder / "x"));
}

TEST(OpenSafetensors, NamesAMissingFileAndAnEmptyOne) {
  const TemporaryFolder folder;
  EXPECT_THAT(message_of(ErrorKind::data, [&] { SafetensorsFile::open(folder / "none"); }),
              AllOf(HasSubstr("none"), HasSubstr("No such file")));
  folder.write("empty", "");
  EXPECT_THAT(message_of(ErrorKind::data, [&] { SafetensorsFile::open(folder / "empty"); }), HasSubstr("it has 0 bytes"));
}

}  // namespace
}  // namespace tsrun
