#include "support/errors.h"
#include "support/temporary_folder.h"
#include "tsrun/checkpoint/folder.h"

namespace tsrun {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::message_of;
using testing::TemporaryFolder;

TEST(RefusePickle, KnowsPicklesByNameAndByContent) {
  const TemporaryFolder folder;
  for (const auto& path :
       {folder.write("m.bin", "x"), folder.write("m.pt", ""), folder.write("m.pth", "{}"), folder.write("m.ckpt", "abc"),
        folder.write("zip.safetensors", std::string("PK\x03\x04xxxxxxxx")), folder.write("raw.safetensors", "\x80\x02}q\x01.")}) {
    EXPECT_THAT(
        message_of(ErrorKind::data, [&] { refuse_pickle(path); }),
        AllOf(HasSubstr(path.string()), HasSubstr("pickle"), HasSubstr("python3 -c"), HasSubstr((folder / "model.safetensors").string())));
    EXPECT_THAT(message_of(ErrorKind::data, [&] { SafetensorsFile::open(path); }), HasSubstr("pickle"));
  }
}

TEST(RefusePickle, LetsOtherFilesPass) {
  const TemporaryFolder folder;
  // A header of 0x280 bytes starts like a pickle, but has '{' where a safetensors header begins.
  for (const auto& path : {folder.write("m.safetensors", std::string("\x80\x02\0\0\0\0\0\0{}", 10)), folder.write("short", "P"),
                           folder / "none", folder.path()}) {
    EXPECT_NO_THROW(refuse_pickle(path)) << path;
  }
}

TEST(RefusePickle, RefusesRealModels) {
  const char* shared = std::getenv("TSRUN_SHARED");
  const std::filesystem::path models =
      std::filesystem::path(shared ? shared : TSRUN_SOURCE_DIR "/../shared") / "data/models/tiny_random_hf";
  if (!std::filesystem::is_directory(models)) GTEST_SKIP() << models << " is absent; set TSRUN_SHARED";
  for (const auto& model : std::filesystem::directory_iterator(models)) {
    if (!std::filesystem::exists(model.path() / "pytorch_model.bin")) continue;
    EXPECT_THAT(message_of(ErrorKind::data, [&] { CheckpointFolder::open(model.path()); }),
                HasSubstr("pytorch_model.bin: is a Python pickle"));
  }
}

}  // namespace
}  // namespace tsrun
