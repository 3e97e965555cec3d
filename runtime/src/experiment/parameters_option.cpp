#include "experiment/parameters_option.h"

namespace tsrun {

Option parameters_option() {
  return {.name = "parameters",
          .type = OptionType::table,
          .fallback = nlohmann::json{{"parts", nlohmann::json::array({"encoder", "decoder"})}},
          .doc = "which parameters and how they are grouped: {parts, layers, patterns, groups = \"layer\" | \"tensor\" | \"whole\"}"};
}

}  // namespace tsrun
