#include "tsrun/plugin/plugin.h"

namespace {

class Impostor : public tsrun::SelectorMethod {
 public:
  std::string name() const override { return "line"; }
  std::string doc() const override { return "Takes a name that another plugin has."; }
  int version() const override { return 1; }
  tsrun::OptionTable options() const override { return {}; }
  std::unique_ptr<tsrun::Selector> make(const tsrun::MethodInputs&, const tsrun::Options&) const override { return nullptr; }
};

}  // namespace

TSRUN_PLUGIN(registry) { registry.add(std::make_unique<Impostor>()); }
