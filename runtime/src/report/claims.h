#pragma once

#include "tsrun/report/report.h"

#include <string>

/// Parts of a claim's line, for every form of the page.
namespace tsrun::report {

std::string verdict_word(const JudgedClaim& judged);   ///< "supported", "contradicted", "open"
std::string claim_sentence(const Claim& claim);        ///< without its stop, with its source
std::string claim_numbers(const JudgedClaim& judged);  ///< means, difference, interval and what was claimed

}  // namespace tsrun::report
