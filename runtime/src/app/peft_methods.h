#pragma once

#include "tsrun/plugin/host.h"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

/// Which of PEFT's methods there are here (`tsrun describe deltas`).
namespace tsrun::app {

inline constexpr const char* peft_version = "0.21.2";  ///< whose types are listed

/// A method of PEFT's, of ours, or of both.
struct DeltaRow {
  std::string peft_type;  ///< empty: PEFT has no such method
  std::string name;       ///< of the plugin; empty: not here
  std::string doc;        ///< the plugin's sentence, or what PEFT's method is and what comes nearest to it here
};
/// PEFT's types in alphabetical order, then what is here alone.
std::vector<DeltaRow> delta_rows(const PluginHost& plugins);

std::string text_of(const std::vector<DeltaRow>& rows);
nlohmann::json json_of(const std::vector<DeltaRow>& rows);

}  // namespace tsrun::app
