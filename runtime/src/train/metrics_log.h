#pragma once

#include <nlohmann/json.hpp>

#include <filesystem>

namespace tsrun::training {

/// metrics.jsonl: one record an evaluation, append-only, without times, so that a resumed run's file equals an undisturbed one's.
class MetricsLog {
 public:
  /// Starts the file with `records` (an array): those of the checkpoint that a run resumes from, whatever a killed process wrote after it.
  MetricsLog(std::filesystem::path file, nlohmann::json records);
  /// @throws Error(run) when the file cannot be written.
  void append(const nlohmann::json& record);
  const nlohmann::json& records() const { return records_; }

 private:
  std::filesystem::path file_;
  nlohmann::json records_;
};

}  // namespace tsrun::training
