#pragma once

#include "tsrun/text/tokenizer.h"

#include <map>

namespace tsrun {

/// Which token plays which part, by name.
using SpecialRoles = std::map<SpecialToken, std::string>;

/// The key of a part in tokenizer_config.json: "unk_token" and so on, in the order in which missing tokens get their ids.
inline constexpr std::pair<SpecialToken, const char*> kRoleKeys[] = {
    {SpecialToken::begin, "bos_token"},     {SpecialToken::end, "eos_token"},     {SpecialToken::unknown, "unk_token"},
    {SpecialToken::separator, "sep_token"}, {SpecialToken::padding, "pad_token"}, {SpecialToken::classifier, "cls_token"},
    {SpecialToken::mask, "mask_token"}};

}  // namespace tsrun
