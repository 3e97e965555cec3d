#include "experiment/parameters_option.h"

namespace tsrun::experiment {

Option parameters_option() {
  return {.name = "parameters",
          .type = OptionType::table,
          .fallback = nlohmann::json{{"parts", nlohmann::json::array({"encoder", "decoder"})}},
          .doc = "parameters and their grouping: {parts, layers, patterns, groups = \"layer\" | \"tensor\" | \"whole\"}"};
}

}  // namespace tsrun::experiment
