#pragma once

#include "tsrun/report/report.h"

#include <string>
#include <vector>

/// Parts of a claim's line, for every form of the page.
namespace tsrun::report {

std::string verdict_word(const JudgedClaim& judged);   ///< "supported", "contradicted", "open"
std::string claim_sentence(const Claim& claim);        ///< without its stop, with its source
std::string claim_numbers(const JudgedClaim& judged);  ///< means, difference, interval and what was claimed
std::string section_title(const Claim& claim);         ///< of a claim without one: that of other claims
/// Whether the claim at `at` has another section than the one before it.
bool begins_section(const std::vector<JudgedClaim>& claims, size_t at);

}  // namespace tsrun::report
