#include "method.h"

#include "choices.h"
#include "decoder.h"
#include "training.h"

namespace tsrun::shared_vector {

OptionTable Method::options() const { return option_table(); }

std::unique_ptr<Subspace> Method::load(const std::filesystem::path& folder, const ParameterSet& parameters) const {
  return Decoder::load(folder, parameters);
}

JointResult Method::decompose(const JointInputs& inputs, const Options& options) const {
  if (needs_tasks(options)) return Training(inputs, options).run();
  JointResult result;
  result.description = {{"dim", options.integer("dim")}, {"maps", nlohmann::json::object()}};
  for (auto& decoder : draw_decoders(inputs, options)) {
    result.description["maps"][inputs.members[result.decoders.size()].name] = decoder->describe();
    result.decoders.push_back(std::move(decoder));
  }
  return result;
}

}  // namespace tsrun::shared_vector
