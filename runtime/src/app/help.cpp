#include "app/verbs.h"
#include "tsrun/base/log.h"

#include <torch/version.h>

namespace tsrun::app {

std::string version_text() { return fmt::format("tsrun {}  LibTorch {}\n", TSRUN_VERSION, TORCH_VERSION); }

std::string short_help() {
  return "tsrun runs experiments on fine-tuning in low-dimensional spaces, written as Lua recipes.\n\n"
         "  tsrun recipes/outlier_ablation.lua                       run a recipe\n"
         "  tsrun recipes/outlier_ablation.lua --set dim=8 --seed 2  with other arguments\n"
         "  tsrun describe recipes/outlier_ablation.lua              what it can be given\n\n"
         "tsrun help lists commands and options.\n";
}

std::string long_help() {
  std::string text = "usage: tsrun [COMMAND] … [OPTIONS]\n\nCommands\n";
  for (const auto& verb : verbs()) text += fmt::format("  {:<24}{}\n", verb.name + " " + verb.operands, verb.doc);
  return text + "\n" + option_help() +
         "\nExit status: 0 done, 2 wrong command line or recipe, 3 a file is missing or malformed, 4 the run failed,\n70 a bug, 130 "
         "interrupted.\n";
}

void print_json(const nlohmann::json& value) { print_result(value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"); }

}  // namespace tsrun::app
