#include <tsrun/plugin/plugin.h>

#include <ATen/ATen.h>

/// One layer at a time, from the top or from the bottom, another one every few steps; pooler and head are always trained.
namespace {

using namespace tsrun;

class OneLayer final : public Selector {
 public:
  OneLayer(int64_t every, bool from_top) : every_(every), from_top_(from_top) {}

  std::optional<Scope> scope(Step& step) override {
    if (step.number % every_ != 0) return std::nullopt;  // the scope in force stays
    const auto layers = static_cast<int64_t>(step.family.layers());
    const int64_t turn = step.number / every_ % layers, layer = from_top_ ? layers - 1 - turn : turn;
    Scope scope;
    scope.frozen_layers = static_cast<int>(layer);  // no graph is recorded below it
    scope.moments = Moments::drop;                  // a layer that comes back begins with fresh moments
    for (const ParameterInfo& info : step.family.parameters())
      if (info.layer > layer) scope.parameters[info.name].trained = false;
    ++changes_;
    return scope;
  }
  nlohmann::json report() const override { return {{"changes", changes_}}; }
  PluginState state() const override { return {{"changes", at::full({1}, changes_, at::kLong)}}; }
  void restore(const PluginState& state) override { changes_ = state.at("changes").item<int64_t>(); }

 private:
  int64_t every_;
  bool from_top_;
  int64_t changes_ = 0;
};

class Method final : public SelectorMethod {
 public:
  std::string name() const override { return "one_layer"; }
  std::string doc() const override { return "Trains one layer at a time, another one every few steps."; }
  int version() const override { return 1; }
  OptionTable options() const override {
    return {{.name = "every", .type = OptionType::integer, .fallback = 20, .doc = "steps for each layer", .minimum = 1, .unit = "steps"},
            {.name = "from", .type = OptionType::choice, .fallback = "top", .doc = "first layer", .choices = {"top", "bottom"}}};
  }
  Wants wants(const Options&) const override { return {.whole_vocabulary = false}; }  // it never looks at word embeddings
  std::unique_ptr<Selector> make(const MethodInputs&, const Options& options) const override {
    return std::make_unique<OneLayer>(options.integer("every"), options.text("from") == "top");
  }
};

}  // namespace

TSRUN_PLUGIN(registry) { registry.add(std::make_unique<Method>()); }
