#pragma once

#include "tsrun/train/train.h"

#include <filesystem>
#include <string>

/// A task and a BERT small enough that a run takes a fraction of a second.
namespace tsrun::toy {

/// Two classes by the one word of praise or blame that a row holds.
Task sentiment(int64_t train_rows = 96, int64_t dev_rows = 48);
Model tiny_bert(const HeadSpec& head = {HeadKind::classification, 2}, double dropout = 0.1);
TrainJob job(const Model& model, const Task& task, const nlohmann::json& options, const std::filesystem::path& work, uint64_t seed = 1);
std::string bytes_of(const std::filesystem::path& file);

/// A folder of its own, removed at the end.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace tsrun::toy
