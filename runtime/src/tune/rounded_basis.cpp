#include "tsrun/tune/rounded_basis.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/base/operators.h"
#include "tsrun/checkpoint/safetensors.h"
#include "tsrun/linalg/quantized_rows.h"
#include "tsrun/linalg/rows.h"
#include "tsrun/model/tensors.h"
#include "tsrun/tune/stored_basis.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace tsrun {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr double kOrthonormal = 1e-5;  // largest |VᵀV − I| that counts as orthonormal
const char* const rounded_index = "rounded.json";

std::string rows_name(int64_t direction) { return fmt::format("direction-{:05}.safetensors", direction); }
std::string group_name(size_t group) { return fmt::format("group-{:05}", group); }
std::string scales_name(size_t group) { return fmt::format("scales-{:05}", group); }

struct RoundedForm {
  bool whole = false;  ///< int8
  int64_t block = 0;

  static RoundedForm of(const Options& options) { return {options.text("form") == "int8", options.integer("block")}; }
  json to_json() const { return {{"form", whole ? "int8" : "bf16"}, {"block", block}}; }
};

/// One group: exactly one of the two.
struct RoundedGroup {
  Rows halves;
  QuantizedRows numbers;
};

class RoundedBasis final : public Subspace {
 public:
  RoundedBasis(ParameterSet parameters, const json& index, const fs::path& folder);
  const ParameterSet& parameters() const override { return parameters_; }
  const std::vector<int64_t>& dims() const override { return dims_; }
  void expand(const at::Tensor& z, at::Tensor out) const override;
  at::Tensor project(const at::Tensor& z, const at::Tensor& g) const override;
  bool claims_orthonormal() const override { return index_.at("orthonormality_error").get<double>() <= kOrthonormal; }
  SubspaceFacts facts() const override;
  json describe() const override { return index_.at("description"); }
  void save(const fs::path& folder) const override;
  int64_t bytes_shipped() const override { return bytes_; }

  /// Records what was measured of the rounded columns.
  void set_error(double error) {
    index_["orthonormality_error"] = error;
    index_["description"]["orthonormality_error"] = error;
  }

 private:
  void add_row(const SafetensorsFile& file, size_t group);
  const TensorInfo& tensor(const SafetensorsFile& file, const std::string& name, DataType type, int64_t size);

  ParameterSet parameters_;
  json index_;
  fs::path folder_;
  RoundedForm form_;
  std::vector<int64_t> dims_, offsets_;
  std::vector<RoundedGroup> groups_;
  std::vector<std::shared_ptr<const SafetensorsFile>> files_;  ///< own the maps
  int64_t bytes_ = 0;
};

RoundedBasis::RoundedBasis(ParameterSet parameters, const json& index, const fs::path& folder)
    : parameters_(std::move(parameters)),
      index_(index),
      folder_(folder),
      form_{index.at("form") == "int8", index.at("block").get<int64_t>()},
      dims_(index.at("dims").get<std::vector<int64_t>>()),
      offsets_(coordinate_offsets(dims_)) {
  if (dims_.size() != parameters_.groups.size())
    data_error("{}: {} groups, expected {}", folder.string(), dims_.size(), parameters_.groups.size());
  for (const Group& group : parameters_.groups) {
    groups_.push_back({{{}, RowType::bfloat16, group.size()}, {{}, {}, group.size(), form_.block}});
  }
  for (int64_t k = 0; k < *std::max_element(dims_.begin(), dims_.end()); ++k) {
    files_.push_back(std::make_shared<const SafetensorsFile>(SafetensorsFile::open(folder / rows_name(k))));
    for (size_t g = 0; g < dims_.size(); ++g)
      if (k < dims_[g]) add_row(*files_.back(), g);
  }
}

const TensorInfo& RoundedBasis::tensor(const SafetensorsFile& file, const std::string& name, DataType type, int64_t size) {
  const TensorInfo* info = file.find(name);
  if (!info || info->type != type || info->shape != std::vector<int64_t>{size})
    data_error("{}: expected '{}' as {} numbers of another type or length", file.name(), name, size);
  if (type == DataType::float32 && reinterpret_cast<uintptr_t>(info->bytes.data()) % alignof(float) != 0)
    data_error("{}: '{}' does not begin at a multiple of {} bytes", file.name(), name, alignof(float));
  bytes_ += static_cast<int64_t>(info->bytes.size());
  return *info;
}

void RoundedBasis::add_row(const SafetensorsFile& file, size_t group) {
  const int64_t size = parameters_.groups[group].size();
  RoundedGroup& to = groups_[group];
  if (!form_.whole) {
    to.halves.data.push_back(tensor(file, group_name(group), DataType::bfloat16, size).bytes.data());
    return;
  }
  const auto& numbers = tensor(file, group_name(group), DataType::int8, size).bytes;
  const auto& scales = tensor(file, scales_name(group), DataType::float32, scale_count(size, form_.block)).bytes;
  to.numbers.data.push_back(reinterpret_cast<const int8_t*>(numbers.data()));
  to.numbers.scales.push_back(reinterpret_cast<const float*>(scales.data()));
}

void RoundedBasis::expand(const at::Tensor& z, at::Tensor out) const {
  for (size_t g = 0; g < groups_.size(); ++g) {
    const auto mine = coordinates_of_group(z, offsets_, g);
    const std::vector<double> coefficients(mine.begin(), mine.end());
    const std::span<float> part = floats_of_group(out, parameters_, g);
    if (form_.whole)
      add_combination(groups_[g].numbers, coefficients, part);
    else
      add_combination(groups_[g].halves, coefficients, part);
  }
}

at::Tensor RoundedBasis::project(const at::Tensor& /*z*/, const at::Tensor& g) const {
  at::Tensor result = at::empty({offsets_.back()}, at::kFloat);
  for (size_t i = 0; i < groups_.size(); ++i) {
    const std::span<const float> part = read_floats_of_group(g, parameters_, i);
    const auto products = form_.whole ? dot_products(groups_[i].numbers, part) : dot_products(groups_[i].halves, part);
    std::transform(products.begin(), products.end(), result.data_ptr<float>() + offsets_[i],
                   [](double product) { return static_cast<float>(product); });
  }
  return result;
}

SubspaceFacts RoundedBasis::facts() const {
  SubspaceFacts facts;
  for (const json& group : index_.at("facts"))
    facts.groups.push_back({group.at("singular_values").get<std::vector<double>>(), group.at("update_length").get<double>()});
  return facts;
}

void RoundedBasis::save(const fs::path& folder) const {
  write_durable(folder / rounded_index, index_.dump(1) + "\n");
  if (fs::equivalent(folder, folder_)) return;
  for (size_t k = 0; k < files_.size(); ++k) {
    const std::string name = rows_name(static_cast<int64_t>(k));
    std::error_code failed;
    fs::copy_file(folder_ / name, folder / name, failed);
    if (failed) run_error("{}: cannot be copied to {}: {}", (folder_ / name).string(), folder.string(), failed.message());
  }
}

/// The k-th coordinate of every group that has so many.
at::Tensor kth_of_all(const Subspace& basis, int64_t k) {
  const auto offsets = coordinate_offsets(basis.dims());
  at::Tensor z = at::zeros({basis.dim()});
  for (size_t g = 0; g < basis.dims().size(); ++g)
    if (k < basis.dims()[g]) z[offsets[g] + k] = 1;
  return z;
}

at::Tensor kth_directions(const Subspace& basis, int64_t k) {
  at::Tensor flat = at::zeros({basis.parameters().layout.total()});
  basis.expand(kth_of_all(basis, k), flat);
  return flat;
}

/// The tensors of one group's direction: bfloat16, or int8 with scales.
std::vector<at::Tensor> rounded(const at::Tensor& direction, const RoundedForm& form) {
  if (!form.whole) return {direction.to(at::kBFloat16)};
  const int64_t size = direction.numel(), scales = scale_count(size, form.block);
  std::vector<at::Tensor> result = {at::empty({size}, at::kChar), at::empty({scales})};
  quantize_row({direction.const_data_ptr<float>(), static_cast<size_t>(size)}, form.block,
               {result[0].data_ptr<int8_t>(), static_cast<size_t>(size)}, {result[1].data_ptr<float>(), static_cast<size_t>(scales)});
  return result;
}

void write_direction(const Subspace& basis, const RoundedForm& form, int64_t k, const fs::path& folder) {
  const at::Tensor flat = kth_directions(basis, k);
  std::vector<at::Tensor> kept;
  std::vector<TensorInfo> tensors;
  for (size_t g = 0; g < basis.dims().size(); ++g) {
    if (k >= basis.dims()[g]) continue;
    const Group& group = basis.parameters().groups[g];
    const auto parts = rounded(flat.slice(0, group.begin, group.end).contiguous(), form);
    if (parts.size() > 1) tensors.insert(tensors.begin(), as_info(scales_name(g), parts[1]));  // before all bytes, for their alignment
    tensors.push_back(as_info(group_name(g), parts[0]));
    kept.insert(kept.end(), parts.begin(), parts.end());
  }
  write_safetensors(folder / rows_name(k), tensors);
}

/// max |VᵀV − I| within groups.
double error_of(const Subspace& basis) {
  double worst = 0;
  for (int64_t k = 0; k < *std::max_element(basis.dims().begin(), basis.dims().end()); ++k) {
    check_interrupt();
    const at::Tensor z = kth_of_all(basis, k);
    worst = std::max(worst, (basis.project(z, kth_directions(basis, k)) - z).abs().max().item<double>());
  }
  return worst;
}

json index_of(const Subspace& basis, const RoundedForm& form) {
  json index = form.to_json(), facts = json::array();
  for (const auto& group : basis.facts().groups)
    facts.push_back({{"singular_values", group.singular_values}, {"update_length", group.update_length}});
  index.update({{"dims", basis.dims()},
                {"layout", basis.parameters().layout.digest()},
                {"facts", facts},
                {"orthonormality_error", 1.0},
                {"description", basis.describe()}});
  index["description"].update(form.to_json());
  return index;
}

}  // namespace

OptionTable RoundedMaker::options() const {
  return {{.name = "form", .type = OptionType::choice, .fallback = "bf16", .doc = "of the stored numbers", .choices = {"bf16", "int8"}},
          {.name = "block",
           .type = OptionType::integer,
           .fallback = 256,
           .doc = "of int8: numbers that share a scale, a power of two; 0: a scale a direction",
           .minimum = 0,
           .maximum = 2048}};
}

std::unique_ptr<Subspace> RoundedMaker::load(const fs::path& folder, const ParameterSet& parameters) const {
  const std::string path = (folder / rounded_index).string();
  const json index = read_json(path);
  try {
    if (index.at("layout") != parameters.layout.digest()) data_error("{}: the basis belongs to another parameter set", path);
    return std::make_unique<RoundedBasis>(parameters, index, folder);
  } catch (const json::exception& error) {
    data_error("{}: not a rounded basis: {}", path, error.what());
  }
}

std::unique_ptr<Subspace> round_basis(const Subspace& basis, const Options& options, const fs::path& folder) {
  if (!basis.linear()) user_error("this map is not linear, so that it has no directions to round");
  const RoundedForm form = RoundedForm::of(options);
  if (form.block != 0 && (form.block < 16 || (form.block & (form.block - 1)) != 0))
    user_error("option 'block' is {}, expected 0 or a power of two from 16 to 2048", form.block);
  fs::create_directories(folder);
  for (int64_t k = 0; k < *std::max_element(basis.dims().begin(), basis.dims().end()); ++k) {
    check_interrupt();
    write_direction(basis, form, k, folder);
  }
  auto made = std::make_unique<RoundedBasis>(basis.parameters(), index_of(basis, form), folder);
  made->set_error(error_of(*made));
  save_subspace(*made, RoundedMaker(), options, folder);
  return made;
}

}  // namespace tsrun
