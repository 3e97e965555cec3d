#include "tune/binding_plan.h"

#include "tune/spans.h"

#include "tsrun/base/error.h"
#include "tsrun/base/log.h"
#include "tsrun/base/operators.h"

#include <algorithm>

namespace tsrun {
namespace {

bool decays(const ParameterInfo& info) { return info.kind == ParameterKind::weight || info.kind == ParameterKind::embedding; }

at::Tensor to_tensor(const std::vector<int64_t>& positions, at::Device device) {
  at::Tensor tensor = at::empty({static_cast<int64_t>(positions.size())}, at::kLong);
  std::copy(positions.begin(), positions.end(), tensor.data_ptr<int64_t>());
  return tensor.to(device);
}

/// Positions by tensor name, relative to the tensor.
std::map<std::string, std::vector<int64_t>> by_tensor(const Mask& mask) {
  std::map<std::string, std::vector<int64_t>> result;
  for (int64_t position : mask.positions) {
    const Slice& slice = mask.layout.at_position(position);
    result[slice.name].push_back(position - slice.offset);
  }
  return result;
}

void check_options(const TuneOptions& options) {
  if (options.ensemble < 1) user_error("tune: ensemble is {}, expected 1 or more", options.ensemble);
  const size_t rates = options.lr_groups.size();
  if (rates > 0 && (!options.subspace || options.subspace->dims().size() != rates))
    internal_error("tune: {} learning rates of groups, for {}", rates, options.subspace ? "other groups" : "no subspace");
  if (options.init_deviation < 0) user_error("tune: init_deviation is {}, expected 0 or more", options.init_deviation);
}

}  // namespace

Binding::State::State(const Family& model, const Weights& start, const TuneOptions& choices, Key key, at::Device where)
    : family(&model), options(choices), device(where) {
  const at::NoGradGuard no_grad;
  check_options(options);
  for (const ParameterInfo& info : family->parameters()) origin.set(info.name, start.at(info.name).detach().to(device, at::kFloat));
  weights = origin;                              // the order of names; trained entries are replaced by leaves below
  for (const std::string& name : start.names())  // deltas' constants
    if (!origin.find(name)) weights.set(name, start.at(name).detach().to(device));
  if (options.subspace) add_bound(key.split("z"));
  options.scope.check(*family, "scope");
  check_compact();
  check_owned();
  add_parts();
  add_constants();
  apply_masks();
  for (const FlatBuffer& buffer : buffers) {
    Weights own;
    for (const Slice& slice : buffer.layout.slices()) own.set(slice.name, weights.at(slice.name));
    leaves.push_back(own);
  }
  scopes.resize(buffers.size());
  origins.resize(buffers.size());
  apply(options.scope);
  for (const auto& [buffer, entries] : chosen) use.masked = use.masked || entries.left_out() > 0;
}

bool Binding::State::trains(const ParameterInfo& info) const {
  const bool in_layers = info.part == Part::encoder || info.part == Part::decoder;
  return options.scope.entry(info).trained && !(in_layers && options.subspace);  // within a subspace, only z moves the layers
}

bool Binding::State::is_compact(const ParameterInfo& info) const {
  return options.scope.compact && options.scope.entry(info).mask.defined();
}

void Binding::State::check_compact() const {
  if (!options.scope.compact) return;
  if (options.zeroed || options.held) user_error("a compact scope beside weights that are zeroed or held; expected one of the two");
  if (!bound) return;
  for (const Slice& slice : buffers[*bound].layout.slices())
    if (is_compact(parameter(*family, slice.name)))
      user_error("the compact scope masks '{}', which moves in a subspace; expected a scope that is not compact", slice.name);
}

void Binding::State::check_owned() const {
  for (const std::string& name : options.owned) {
    const ParameterInfo& info = parameter(*family, name);
    if (is_compact(info))
      user_error("the compact scope masks '{}', whose update is a plugin's own; expected a scope that is not compact", name);
    if (bound && buffers[*bound].layout.find(name))
      user_error("'{}' moves in a subspace, and a plugin would update it; expected one of the two", name);
  }
}

void Binding::State::add_bound(Key key) {
  const Subspace& subspace = *options.subspace;
  check_layout(subspace.parameters().layout, *family, "the subspace");
  buffers.emplace_back("z", subspace.parameters().layout, origin, device, options.gradients);
  bound = 0;
  bound_origin = buffers[0].value.clone();
  const Weights views = unflatten(bound_origin, subspace.parameters().layout);
  for (const std::string& name : views.names()) origin.set(name, views.at(name));
  at::Tensor z = at::zeros({options.ensemble * subspace.dim()}, at::kFloat);
  const std::span<float> numbers(z.data_ptr<float>(), static_cast<size_t>(z.numel()));
  const auto width = static_cast<float>(subspace.initial_width());
  if (options.init_deviation > 0)
    fill_normal(key, numbers, 0, 0, static_cast<float>(options.init_deviation));
  else if (width > 0)
    fill_uniform(key.split("uniform"), numbers, 0, -width, width);
  z = z.to(device);
  groups.push_back(
      {"z", z, options.gradients ? at::zeros_like(z) : at::Tensor(), options.lr_subspace, 0, std::nullopt, Layout().add("z", {z.numel()})});
  if (!options.optimise_z) groups.back().spans.emplace();
  if (!options.lr_groups.empty()) add_group_rates();
  buffers[0].add_leaves(weights);
}

/// The largest rate is the group's, all others are factors of it, in every copy of the ensemble.
void Binding::State::add_group_rates() {
  ParameterGroup& z = groups.back();
  z.lr = *std::max_element(options.lr_groups.begin(), options.lr_groups.end());
  const auto offsets = coordinate_offsets(options.subspace->dims());
  z.spans.emplace();
  for (int64_t copy = 0; copy < options.ensemble; ++copy)
    for (size_t g = 0; g < options.lr_groups.size(); ++g)
      tune::append(*z.spans, {copy * offsets.back() + offsets[g], copy * offsets.back() + offsets[g + 1],
                              z.lr > 0 ? options.lr_groups[g] / z.lr : 1, 0});
}

void Binding::State::add_parts() {
  const std::pair<Part, double> parts[] = {{Part::encoder, options.lr},     {Part::decoder, options.lr},
                                           {Part::delta, options.lr},       {Part::embeddings, options.lr_embeddings},
                                           {Part::pooler, options.lr_head}, {Part::head, options.lr_head}};
  for (const auto& [part, lr] : parts) {
    add_part(part, lr, false);
    add_part(part, lr, true);
    add_chosen(part, lr);
  }
}

void Binding::State::add_part(Part part, double lr, bool owned) {
  Layout layout;
  for (const ParameterInfo& info : family->parameters()) {
    const bool taken = bound && buffers[*bound].layout.find(info.name);
    if (info.part == part && options.owned.contains(info.name) == owned && trains(info) && !taken && !is_compact(info))
      layout.add(info.name, info.shape);
  }
  if (layout.total() == 0) return;
  buffers.emplace_back(std::string(name_of(part)) + (owned ? "_owned" : ""), layout, origin, device);
  add_group(buffers.back(), lr, owned);
  buffers.back().add_leaves(weights);
}

void Binding::State::add_chosen(Part part, double lr) {
  std::vector<std::pair<const ParameterInfo*, at::Tensor>> masked;
  for (const ParameterInfo& info : family->parameters())
    if (info.part == part && trains(info) && is_compact(info)) masked.emplace_back(&info, options.scope.entry(info).mask);
  if (masked.empty()) return;
  const tune::ChosenEntries entries(std::string(name_of(part)) + "_entries", masked, origin, device);
  if (entries.buffer().layout.total() == 0) return;
  chosen.emplace(buffers.size(), entries);
  buffers.push_back(entries.buffer());
  add_group(buffers.back(), lr);
  entries.add_to(weights);
}

void Binding::State::add_group(const FlatBuffer& buffer, double lr, bool owned) {
  ParameterGroup group{buffer.name, buffer.value, buffer.gradient, lr, 0, std::vector<Span>(), buffer.layout, owned};
  for (const Slice& slice : buffer.layout.slices()) {
    tune::append(*group.spans, {slice.offset, slice.offset + slice.size, 1, decay_of(slice)});
    group.weight_decay = std::max(group.weight_decay, decay_of(slice));
  }
  groups.push_back(std::move(group));
}

double Binding::State::decay_of(const Slice& slice) const { return decays(parameter(*family, slice.name)) ? options.weight_decay : 0; }

void Binding::State::add_constants() {
  for (const ParameterInfo& info : family->parameters())
    if (!weights.at(info.name).requires_grad() && !(bound && buffers[*bound].layout.find(info.name)))
      frozen[std::string(name_of(info.part))] += weights.at(info.name).numel();
}

void Binding::State::apply_masks() {
  if (options.held) apply_mask(*options.held, "held", false);
  if (options.zeroed) apply_mask(*options.zeroed, "zeroed", true);
  for (const tune::MaskUse& use : masks) {
    log_info("mask '{}': {} of {} positions lie on trained weights and {} {}; {} lie on frozen ones", use.name, use.on_trained,
             use.requested, use.hold ? "are held" : "start", use.name == "zeroed" ? "at zero" : "at the origin", use.on_frozen);
  }
}

void Binding::State::apply_mask(const Mask& mask, const std::string& name, bool zero) {
  check_layout(mask.layout, *family, "the mask");
  tune::MaskUse use{name, !zero || options.hold_zero, static_cast<int64_t>(mask.positions.size()), 0, 0};
  std::vector<std::vector<int64_t>> of_buffer(buffers.size());
  for (const auto& [tensor, positions] : by_tensor(mask)) {
    const auto owner = std::find_if(buffers.begin(), buffers.end(), [&](const FlatBuffer& b) { return b.layout.find(tensor) != nullptr; });
    if (owner == buffers.end()) {
      use.on_frozen += static_cast<int64_t>(positions.size());
      if (zero)
        weights.set(tensor,
                    weights.at(tensor).reshape({-1}).index_fill(0, to_tensor(positions, device), 0).view(weights.at(tensor).sizes()));
      continue;
    }
    use.on_trained += static_cast<int64_t>(positions.size());
    auto& target = of_buffer[static_cast<size_t>(owner - buffers.begin())];
    const int64_t offset = owner->layout.find(tensor)->offset;
    for (int64_t position : positions) target.push_back(offset + position);
  }
  for (size_t b = 0; b < buffers.size(); ++b) {
    if (of_buffer[b].empty()) continue;
    const at::Tensor positions = to_tensor(of_buffer[b], device);
    if (zero && bound == b) bound_origin = bound_origin.index_fill(0, positions, 0);  // a copy: `origin` keeps θ0
    if (zero) buffers[b].value.index_fill_(0, positions, 0);
    if (use.hold) held.push_back({b, positions, buffers[b].value.index_select(0, positions)});
  }
  masks.push_back(use);
}

}  // namespace tsrun
