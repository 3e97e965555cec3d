#include "choices.h"

#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"

#include <algorithm>

namespace tsrun::shared_vector {
namespace {

const std::vector<std::string> map_names = {"dense", "fastfood"};

bool uses_fastfood(const JointMember& member, const Options& options) {
  const auto& maps = options.value("maps");
  if (maps.is_object() && maps.contains(member.name)) return maps.at(member.name) == "fastfood";
  return member.name == "full" || member.parameters.layout.total() > options.integer("fastfood_from");
}

std::vector<std::string> biased(const Options& options) { return options.has("bias") ? options.texts("bias") : std::vector<std::string>{}; }

bool drops_origin(const std::string& offset, bool fastfood) { return offset == "drop" || (offset == "release" && !fastfood); }

void check_member(const std::string& option, const std::string& name, const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), name) != known.end()) return;
  user_error("shared_vector: option '{}' names member '{}'{}; the members are {}", option, name, did_you_mean(name, known),
             join_words(known));
}

/// Its map: what `maps` says; else Fastfood for a member called "full" and for more than `fastfood_from` numbers; else dense.
Shape shape_of(const JointMember& member, const Options& options) {
  const bool fastfood = uses_fastfood(member, options);
  const auto with_bias = biased(options);
  return {.dim = options.integer("dim"),
          .fastfood = fastfood,
          .bias = !fastfood && std::find(with_bias.begin(), with_bias.end(), member.name) != with_bias.end(),
          .deviation = options.number("deviation"),
          .release_gradients = options.flag("release_gradient_scale")};
}

void check_choices(const std::vector<JointMember>& members, const Options& options) {
  if (members.empty()) user_error("shared_vector: needs at least one member");
  std::vector<std::string> known;
  for (const JointMember& member : members) {
    known.push_back(member.name);
    if (member.parameters.groups.size() != 1)
      internal_error("shared_vector: {} groups in member '{}'", member.parameters.groups.size(), member.name);
  }
  for (const std::string& name : biased(options)) {
    check_member("bias", name, known);
    const auto& member = *std::find_if(members.begin(), members.end(), [&](const JointMember& m) { return m.name == name; });
    if (uses_fastfood(member, options))
      user_error("shared_vector: option 'bias' names member '{}', whose map is fastfood and has none", name);
  }
  const auto& maps = options.value("maps");
  if (maps.is_null()) return;
  for (const auto& [name, map] : maps.items()) {
    check_member("maps", name, known);
    const std::string given = map.is_string() ? map.get<std::string>() : map.dump();
    if (std::find(map_names.begin(), map_names.end(), given) == map_names.end())
      user_error("shared_vector: option 'maps': the map of '{}' is '{}', expected dense or fastfood{}", name, given,
                 did_you_mean(given, map_names));
  }
}

OptionTable map_options() {
  return {
      {.name = "dim", .type = OptionType::integer, .fallback = 8, .doc = "Dimension of the shared vector.", .minimum = 1, .maximum = 65536},
      {.name = "fit",
       .type = OptionType::choice,
       .fallback = "train",
       .doc = "Maps and vector trained together, or random maps (a control that needs no tasks).",
       .choices = {"train", "random"}},
      {.name = "maps",
       .type = OptionType::table,
       .doc = "Map of each member by name, as in {adapter = \"dense\", full = \"fastfood\"}; default: fastfood for members called full or "
              "larger than fastfood_from, else dense."},
      {.name = "fastfood_from",
       .type = OptionType::integer,
       .fallback = 10000000,
       .doc = "Members with more parameters than this get the Fastfood map, whose memory does not grow with dim.",
       .minimum = 0},
      {.name = "offset",
       .type = OptionType::choice,
       .fallback = "release",
       .doc = "keep: initial weights plus the map; drop: the map alone; release: drop under dense maps (deltas), keep under Fastfood (the "
              "model's own weights).",
       .choices = {"release", "keep", "drop"}},
      {.name = "bias", .type = OptionType::list, .doc = "Members whose dense maps have a bias (release: the prefix); absent: none."}};
}

OptionTable training_options() {
  return {
      {.name = "steps",
       .type = OptionType::integer,
       .fallback = 1000,
       .doc = "Training steps; each runs its batch through every member.",
       .minimum = 1},
      {.name = "lr",
       .type = OptionType::number,
       .fallback = 1e-3,
       .doc = "Constant learning rate of Adafactor, for vector and maps.",
       .minimum = 0},
      {.name = "eval_every",
       .type = OptionType::integer,
       .fallback = 100,
       .doc = "Steps between evaluations on dev; the checkpoint with the best mean over members and tasks is kept, the first of equals.",
       .minimum = 1,
       .unit = "steps"},
      {.name = "deviation",
       .type = OptionType::number,
       .fallback = 0.02,
       .doc = "Standard deviation at the start of the vector and of dense maps.",
       .minimum = 0},
      {.name = "release_gradient_scale",
       .type = OptionType::boolean,
       .fallback = false,
       .doc =
           "Divide Fastfood's gradients by the root of the length at each Hadamard transform, as the release does; the true gradient has "
           "no such factor."}};
}

}  // namespace

OptionTable option_table() { return map_options().include(training_options()); }

Schedule schedule_of(const Options& options) {
  return {options.integer("steps"), options.integer("eval_every"), options.number("lr"), options.number("deviation")};
}

std::vector<std::unique_ptr<Decoder>> draw_decoders(const JointInputs& inputs, const Options& options) {
  check_choices(inputs.members, options);
  std::vector<std::unique_ptr<Decoder>> decoders;
  for (const JointMember& member : inputs.members) {
    const Shape shape = shape_of(member, options);
    const bool drop = drops_origin(options.text("offset"), shape.fastfood);
    decoders.push_back(std::make_unique<Decoder>(member.parameters, shape, inputs.key.split("maps").split(member.name),
                                                 drop ? member.origin.to(at::kCPU).contiguous() : at::Tensor()));
  }
  return decoders;
}

}  // namespace tsrun::shared_vector
