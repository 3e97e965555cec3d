#include "text/graphemes.h"

#include "text/utf8_units.h"

#include <unicode/uchar.h>

namespace tsrun::text {
namespace {

struct ClusterPart {
  int32_t kind = U_GCB_OTHER;
  bool pictograph = false;
};

ClusterPart cluster_part(UChar32 c) {
  if (c >= ' ' && c < 0x7F) return {};
  return {u_getIntPropertyValue(c, UCHAR_GRAPHEME_CLUSTER_BREAK), u_hasBinaryProperty(c, UCHAR_EXTENDED_PICTOGRAPHIC) != 0};
}

bool is_control(int32_t kind) { return kind == U_GCB_CONTROL || kind == U_GCB_CR || kind == U_GCB_LF; }

/// Whether a syllable block of Hangul goes on.
bool joins_hangul(int32_t left, int32_t right) {
  if (left == U_GCB_L) return right == U_GCB_L || right == U_GCB_V || right == U_GCB_LV || right == U_GCB_LVT;
  if (left == U_GCB_LV || left == U_GCB_V) return right == U_GCB_V || right == U_GCB_T;
  return (left == U_GCB_LVT || left == U_GCB_T) && right == U_GCB_T;
}

/// What the boundary rules know of the characters before.
class Cluster {
 public:
  explicit Cluster(const ClusterPart& first) { take(first); }

  bool joins(const ClusterPart& next) const {
    const int32_t left = last_.kind, right = next.kind;
    if (left == U_GCB_CR && right == U_GCB_LF) return true;
    if (is_control(left) || is_control(right)) return false;
    if (joins_hangul(left, right)) return true;
    if (right == U_GCB_EXTEND || right == U_GCB_ZWJ || right == U_GCB_SPACING_MARK || left == U_GCB_PREPEND) return true;
    if (left == U_GCB_ZWJ && after_pictograph_ && next.pictograph) return true;
    return left == U_GCB_REGIONAL_INDICATOR && right == U_GCB_REGIONAL_INDICATOR && regional_ % 2 == 1;
  }

  void take(const ClusterPart& part) {
    const bool goes_on = part.kind == U_GCB_EXTEND || part.kind == U_GCB_ZWJ;
    after_pictograph_ = part.pictograph || (after_pictograph_ && goes_on && last_.kind != U_GCB_ZWJ);
    regional_ = part.kind == U_GCB_REGIONAL_INDICATOR ? regional_ + 1 : 0;
    last_ = part;
  }

 private:
  ClusterPart last_;
  bool after_pictograph_ = false;
  int regional_ = 0;
};

}  // namespace

size_t grapheme_end(std::string_view text, size_t at) {
  Cluster cluster(cluster_part(next_character(text, at)));
  while (at < text.size()) {
    size_t next = at;
    const ClusterPart part = cluster_part(next_character(text, next));
    if (!cluster.joins(part)) break;
    cluster.take(part);
    at = next;
  }
  return at;
}

}  // namespace tsrun::text
