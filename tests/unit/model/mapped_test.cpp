#include "support.h"

#include "tsrun/base/files.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace tsrun {
namespace {

/// The file that the kernel has mapped at `address`; empty where there is none.
std::string mapped_file_at(const void* address) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::istringstream fields(line);
    uintptr_t begin = 0, end = 0;
    char dash = 0;
    std::string mode, offset, device, inode, path;
    fields >> std::hex >> begin >> dash >> end >> mode >> offset >> device >> inode >> path;
    const auto place = reinterpret_cast<uintptr_t>(address);
    if (place >= begin && place < end) return path;
  }
  return "";
}

TensorInfo info_of(const std::string& name, DataType type, const std::vector<int64_t>& shape, const at::Tensor& values) {
  return {name, type, shape, {static_cast<const std::byte*>(values.const_data_ptr()), values.nbytes()}};
}

/// A model's folder, and its weights as they were written.
class MappedModel : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists("/proc/self/maps")) GTEST_SKIP() << "no /proc/self/maps";
    std::vector<std::string> vocabulary = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
    for (int i = 5; i < 50; ++i) vocabulary.push_back("w" + std::to_string(i));
    written = initialise_model(small_config(), two_classes, make_wordpiece(vocabulary), Key::root(4));
    save_model(written, folder.path());
  }
  std::filesystem::path file() const { return std::filesystem::canonical(folder.path()) / "model.safetensors"; }
  Weights load() const { return load_weights(file(), *written.family); }

  void expect_written(const Weights& weights) const {
    for (const std::string& name : written.weights.names()) EXPECT_TRUE(at::equal(weights.at(name), written.weights.at(name))) << name;
  }

  TestFolder folder;
  Model written;
};

TEST_F(MappedModel, LiesInTheFile) {
  const Model model = load_model(folder.path(), two_classes, Key::root(1));
  for (const std::string& name : model.weights.names())
    EXPECT_EQ(mapped_file_at(model.weights.at(name).const_data_ptr()), file().string()) << name;
  expect_written(model.weights);
}

TEST_F(MappedModel, LiesInTheFile_SingleFile) {
  const Weights weights = load();
  for (const std::string& name : weights.names()) EXPECT_EQ(mapped_file_at(weights.at(name).const_data_ptr()), file().string()) << name;
  expect_written(weights);
}

TEST_F(MappedModel, LivesAsLongAsItsLastTensor) {
  const std::string name = written.weights.names().front();
  at::Tensor tensor;
  {
    const SafetensorsFile opened = SafetensorsFile::open(file());
    tensor = as_float32(*opened.find(name));
    EXPECT_EQ(tensor.const_data_ptr(), opened.find(name)->bytes.data());
  }
  const void* address = tensor.const_data_ptr();
  const at::Tensor view = tensor[0];
  tensor.reset();
  EXPECT_EQ(mapped_file_at(address), file().string());
  EXPECT_TRUE(at::equal(view, written.weights.at(name)[0]));
}

TEST_F(MappedModel, LeavesNoMapBehind) {
  const void* address = nullptr;
  {
    const Weights weights = load();
    address = weights.at(weights.names().front()).const_data_ptr();
  }
  EXPECT_NE(mapped_file_at(address), file().string());
}

TEST_F(MappedModel, StaysWhenTheFileIsReplaced) {
  const Weights weights = load();
  Weights zeros;
  for (const std::string& name : written.weights.names()) zeros.set(name, at::zeros_like(written.weights.at(name)));
  save_weights(zeros, file());
  expect_written(weights);
  EXPECT_EQ(load().at(weights.names().front()).abs().sum().item<float>(), 0);
  std::filesystem::remove(file());
  expect_written(weights);
}

TEST_F(MappedModel, KeepsStrayWritesFromTheFile) {
  const Weights weights = load();
  at::Tensor tensor = weights.at(weights.names().front());
  tensor.zero_();
  EXPECT_EQ(tensor.abs().sum().item<float>(), 0);
  expect_written(load());
}

TEST_F(MappedModel, ConvertsOtherTypes) {
  std::vector<at::Tensor> halves;
  std::vector<TensorInfo> infos;
  for (const std::string& name : written.weights.names()) {
    halves.push_back(written.weights.at(name).to(at::kBFloat16));
    infos.push_back(as_info(name, halves.back()));
  }
  write_safetensors(file(), infos);
  const Weights weights = load();
  for (const std::string& name : weights.names()) {
    EXPECT_EQ(weights.at(name).scalar_type(), at::kFloat);
    EXPECT_NE(mapped_file_at(weights.at(name).const_data_ptr()), file().string()) << name;
    EXPECT_TRUE(at::equal(weights.at(name), written.weights.at(name).to(at::kBFloat16).to(at::kFloat))) << name;
  }
}

TEST_F(MappedModel, CopiesWhatIsNotAligned) {
  const at::Tensor byte = at::zeros({1}, at::kByte), floats = at::arange(5, at::kFloat), halves = floats.to(at::kHalf);
  const std::vector<TensorInfo> infos = {info_of("byte", DataType::uint8, {1}, byte), info_of("floats", DataType::float32, {5}, floats),
                                         info_of("halves", DataType::float16, {5}, halves)};
  write_safetensors(file(), infos);
  const SafetensorsFile opened = SafetensorsFile::open(file());
  for (const char* name : {"floats", "halves"}) {
    const at::Tensor tensor = as_float32(*opened.find(name));
    EXPECT_NE(mapped_file_at(tensor.const_data_ptr()), file().string()) << name;
    EXPECT_TRUE(at::equal(tensor, floats)) << name;
  }
}

TEST_F(MappedModel, CopiesWhatIsInNoMap) {
  const at::Tensor floats = at::arange(5, at::kFloat);
  const at::Tensor tensor = as_float32(as_info("floats", floats));
  EXPECT_NE(tensor.const_data_ptr(), floats.const_data_ptr());
  EXPECT_TRUE(at::equal(tensor, floats));
}

}  // namespace
}  // namespace tsrun
