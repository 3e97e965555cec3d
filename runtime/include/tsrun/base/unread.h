#pragma once

#include "tsrun/base/options.h"

#include <initializer_list>
#include <string_view>

namespace tsrun {

/// Refuses those of `names` that differ from their default in `table`, for nothing reads them. A default that is given passes: folders of
/// PEFT name every field.
/// @throws Error(user) as "`where`: nothing reads option 'step': `why`; expected it left out"
void refuse_unread(const Options& given, const OptionTable& table, std::initializer_list<const char*> names, std::string_view where,
                   std::string_view why);

}  // namespace tsrun
