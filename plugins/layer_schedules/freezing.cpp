#include "freezing.h"

namespace tsrun::layer_schedules {

OptionTable cache_options() {
  return {{.name = "cache_prefix",
           .type = OptionType::boolean,
           .fallback = false,
           .doc = "the output of frozen layers is computed once per row, without dropout, and anew whenever more layers are frozen"}};
}

Scope scope_above(const Family& family, int frozen, bool cache_prefix) {
  if (frozen == 0) return {};
  std::set<int> trained;
  for (int layer = frozen; layer < family.layers(); ++layer) trained.insert(layer);
  Scope scope = scope_of_layers(family, trained);
  scope.cache_prefix = cache_prefix;
  return scope;
}

}  // namespace tsrun::layer_schedules
