#pragma once

#include "tsrun/experiment/lab.h"

#include <nlohmann/json.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tsrun::app {

/// The command line, parsed and checked without reading a file.
struct Command {
  std::string verb;                           ///< one of `verbs()`; "run" when a recipe came first; "" for `tsrun` alone
  std::vector<std::string> operands;          ///< words behind the verb
  std::map<std::string, std::string> values;  ///< --set
  LabSettings lab;
  std::optional<int> threads, jobs;
  bool quiet = false, debug = false, json = false;
  bool worker = false, planner = false;  ///< started by another process
  bool pairs = false, stubs = false, reference = false;
  std::optional<std::string> delta;
  std::optional<std::filesystem::path> figures;
  std::string split = "dev";
  std::optional<int64_t> max_length;
};

struct Verb {
  std::string name, operands, doc;
  size_t least = 0, most = 0;  ///< operands
};
const std::vector<Verb>& verbs();

/// @throws Error(user) with the near miss for unknown options and commands, and for values that cannot be read.
Command parse_command(int count, const char* const* words);

/// Values of `--set` as JSON: numbers, booleans and lists where they parse, else text.
nlohmann::json typed_values(const std::map<std::string, std::string>& given);

/// The lines of `tsrun help` that list options.
std::string option_help();

}  // namespace tsrun::app
