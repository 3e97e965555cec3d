#include "tsrun/base/unread.h"

#include "tsrun/base/error.h"

namespace tsrun {

void refuse_unread(const Options& given, const OptionTable& table, std::initializer_list<const char*> names, std::string_view where,
                   std::string_view why) {
  for (const char* name : names) {
    const Option* option = table.find(name);
    if (!option) internal_error("option '{}' is not declared", name);
    if (given.value(name) != option->fallback) user_error("{}: nothing reads option '{}': {}; expected it left out", where, name, why);
  }
}

}  // namespace tsrun
