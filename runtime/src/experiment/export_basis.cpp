#include "experiment/export_basis.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/model.h"

namespace tsrun::experiment {

namespace {

/// Directions of one group as rows [d, D].
at::Tensor directions_of(const Subspace& subspace, const Group& group, int64_t first, int64_t dim) {
  at::Tensor rows = at::empty({dim, group.size()});
  for (int64_t k = 0; k < dim; ++k) {
    at::Tensor z = at::zeros({subspace.dim()});
    z[first + k] = 1;
    at::Tensor flat = at::zeros({subspace.parameters().layout.total()});
    subspace.expand(z, flat);
    rows[k].copy_(flat.slice(0, group.begin, group.end));
  }
  return rows;
}

}  // namespace

void export_basis(const Subspace& subspace, const std::filesystem::path& folder) {
  if (!subspace.linear()) user_error("export: only a linear basis can be written as directions");
  DurableFolder out(folder);
  const ParameterSet& set = subspace.parameters();
  nlohmann::json index = {{"layout", set.layout.to_json()}, {"description", subspace.describe()}, {"groups", nlohmann::json::array()}};
  int64_t first = 0;
  for (size_t i = 0; i < set.groups.size(); ++i) {
    const Group& group = set.groups[i];
    const int64_t dim = subspace.dims()[i];
    const std::string file = fmt::format("group-{:03}.safetensors", i);
    const at::Tensor rows = directions_of(subspace, group, first, dim);
    write_safetensors(out.path() / file, std::vector<TensorInfo>{as_info("basis", rows)});
    index["groups"].push_back({{"name", group.name}, {"begin", group.begin}, {"end", group.end}, {"dim", dim}, {"file", file}});
    first += dim;
  }
  write_durable(out.path() / "basis.json", index.dump(1));
  out.commit();
}

}  // namespace tsrun::experiment
