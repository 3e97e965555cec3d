#pragma once

#include "experiment/artifacts.h"
#include "tsrun/base/options.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <vector>

/// Names of folders in keys: digests of every file that decides a result, never places.
namespace tsrun::experiment {

/// {file name: sha256} of a model's folder: config, weights (with the index of shards), tokenizer and generation config.
/// @throws Error(data) as CheckpointFolder::open
nlohmann::json model_files(const std::filesystem::path& folder);
std::string model_digest(const std::filesystem::path& folder);

/// The same of a folder that PEFT saved.
nlohmann::json peft_files(const std::filesystem::path& folder);

/// Options for a key: digests in place of the files that `files` options name. @throws Error(data) for a file that is not there
nlohmann::json keyed(const Options& options, const std::vector<std::string>& files);

/// Compares a model's folder with the digest in its handle. Folders without one are made by the program, and whole.
/// @throws Error(data) when a file was changed, added or removed in between
void require_unchanged(const ModelRef& model);

/// sha256_file, but a file that has not been touched for some seconds is read once a process.
std::string file_digest(const std::filesystem::path& path);

}  // namespace tsrun::experiment
