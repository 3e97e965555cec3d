#include "experiment/taken_options.h"

namespace tsrun {

Options taken_options(const OptionTable& known, const Options& call) {
  nlohmann::json taken = nlohmann::json::object();
  for (const Option& option : known.all()) taken[option.name] = call.value(option.name);
  return Options(std::move(taken));
}

}  // namespace tsrun
