#include "model/initial.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/model.h"

namespace tsrun {

namespace model {

at::Tensor initial_values(const ParameterInfo& parameter, double deviation, Key key) {
  switch (parameter.kind) {
    case ParameterKind::norm_weight:
      return at::ones(parameter.shape, at::kFloat);
    case ParameterKind::bias:
    case ParameterKind::norm_bias:
      return at::zeros(parameter.shape, at::kFloat);
    case ParameterKind::weight:
    case ParameterKind::embedding:
      break;
  }
  at::Tensor values = at::empty(parameter.shape, at::kFloat);
  const auto count = static_cast<size_t>(values.numel());
  fill_normal(key, {values.mutable_data_ptr<float>(), count}, 0, 0, static_cast<float>(deviation));
  return values;
}

Weights initial_weights(const Family& family, Key key) {
  Weights weights;
  for (const ParameterInfo& parameter : family.parameters())
    weights.set(parameter.name, family.initial(parameter, key.split(parameter.name)));
  return weights;
}

}  // namespace model

Model initialise_model(const nlohmann::json& config, const HeadSpec& head, std::shared_ptr<const Tokenizer> tokenizer, Key key) {
  Model model;
  model.family = make_family(config, head, "config");
  model.tokenizer = std::move(tokenizer);
  model.weights = model::initial_weights(*model.family, key);
  model.initialised = model.weights.names();
  return model;
}

}  // namespace tsrun
