#include "experiment/stored.h"
#include "experiment/taken_options.h"

#include "tsrun/base/error.h"
#include "tsrun/tune/rounded_basis.h"

/// The operation `quantize`: a basis with its directions in bfloat16 or int8.
namespace tsrun {

namespace experiment {
namespace {

using nlohmann::json;

OptionTable quantize_options() {
  OptionTable table = {
      {.name = "basis", .type = OptionType::artifact, .doc = "linear basis of ts.discover", .required = true, .choices = {"subspace"}}};
  return table.include(RoundedMaker().options());
}

struct QuantizeRequest {
  BasisRef basis;
  Options own;  ///< form and block

  static QuantizeRequest from(const Options& o);
  StageKey key() const;
};

QuantizeRequest QuantizeRequest::from(const Options& o) {
  QuantizeRequest request{BasisRef::from_json(o.value("basis")), taken_options(RoundedMaker().options(), o)};
  if (request.basis.member) user_error("'{}' is a member of a joint space, expected a basis of ts.discover", *request.basis.member);
  return request;
}

StageKey QuantizeRequest::key() const {
  const RoundedMaker maker;
  return {"subspace", {{"rounded", {{"basis", basis.identity()}, {"options", own.json()}, {"version", maker.version()}}}}};
}

json summary_of(const Subspace& subspace) {
  json summary = described(subspace);
  summary.update({{"dim", subspace.dim()},
                  {"dims", subspace.dims()},
                  {"bytes", subspace.bytes_shipped()},
                  {"orthonormal", subspace.claims_orthonormal()}});
  return summary;
}

json plan_of(const QuantizeRequest& request) {
  return {{"dim", request.basis.dim}, {"dims", json::array()}, {"bytes", 0}, {"orthonormal", false}};
}

json run_quantize(Lab& lab, const Options& o) {
  const QuantizeRequest request = QuantizeRequest::from(o);
  json handle =
      lab.stage(request.key(), lab.title_of("basis in " + request.own.text("form")), plan_of(request),
                [&](const auto& out, const auto&) { return summary_of(*round_basis(*subspace_of(lab, request.basis), request.own, out)); });
  handle.update({{"method", RoundedMaker().name()}, {"model", request.basis.model.to_json()}});
  return handle;
}

}  // namespace

}  // namespace experiment

std::vector<Operation> quantize_operations() {
  return {{.name = "quantize",
           .doc = "Rounds the directions of a basis to bfloat16 or int8; what comes back is a basis of the rounded numbers, which stay in "
                  "their files. `orthonormal` of the result says whether its columns still are, to 1e-5.",
           .options = experiment::quantize_options(),
           .result = "subspace",
           .run = experiment::run_quantize,
           .on_device = false,
           .named = true}};
}

}  // namespace tsrun
