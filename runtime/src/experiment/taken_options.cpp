#include "experiment/taken_options.h"

#include "tsrun/train/reading.h"

namespace tsrun::experiment {

Options taken_options(const OptionTable& known, const Options& call) {
  nlohmann::json taken = nlohmann::json::object();
  for (const Option& option : known.all()) taken[option.name] = call.value(option.name);
  return Options(std::move(taken));
}

OptionTable reading_options() {
  const OptionTable all = text_options();
  OptionTable table;
  for (const char* name : {"max_length", "blocks", "max_answer_length"}) table.add(*all.find(name));
  return table;
}

}  // namespace tsrun::experiment
