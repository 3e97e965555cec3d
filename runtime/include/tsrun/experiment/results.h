#pragma once

#include <string_view>
#include <vector>

/// What operations return, for the reference page, the editor's stubs and the check of names in a recipe.
namespace tsrun {

/// A field of a result, or of a table in it ("best.score").
struct ResultField {
  std::string_view name, doc;
};

/// Handles of artifacts have `artifact`, their kind, `key` and, in a plan, `planned` beside these fields.
struct ResultKind {
  std::string_view name;  ///< of handles, the kind of artifact
  std::string_view doc;
  bool is_artifact = true;
  bool open = false;  ///< plugins add fields of their own
  std::vector<ResultField> fields = {};

  /// Names of all fields, those of every handle included, without those of tables in it.
  std::vector<std::string_view> names() const;
};

const std::vector<ResultKind>& result_kinds();
/// Null: none of this name.
const ResultKind* find_result_kind(std::string_view name);

}  // namespace tsrun
