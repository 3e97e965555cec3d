#pragma once

#include "tsrun/text/tokenizer.h"

#include <map>

namespace tsrun {

/// Special tokens by role: unknown, separator, padding, …
using SpecialRoles = std::map<SpecialToken, std::string>;

/// Keys of the roles in tokenizer_config.json ("unk_token", …), in the order in which missing tokens get their ids.
inline constexpr std::pair<SpecialToken, const char*> kRoleKeys[] = {
    {SpecialToken::begin, "bos_token"},     {SpecialToken::end, "eos_token"},     {SpecialToken::unknown, "unk_token"},
    {SpecialToken::separator, "sep_token"}, {SpecialToken::padding, "pad_token"}, {SpecialToken::classifier, "cls_token"},
    {SpecialToken::mask, "mask_token"}};

}  // namespace tsrun
