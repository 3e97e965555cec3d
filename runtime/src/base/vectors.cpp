#include "tsrun/base/vectors.h"

#include "tsrun/base/dispatch.h"
#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <string>

namespace tsrun {
namespace {

constexpr std::array all_vectors = {Vectors::baseline, Vectors::avx2, Vectors::avx512};
constexpr int not_chosen = -1;
std::atomic<int> vectors_in_use = not_chosen;

bool processor_has(Vectors vectors) {
  if (vectors == Vectors::baseline) return true;
#ifdef TSRUN_VECTOR_TARGETS
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (vectors == Vectors::avx2) return avx2;
  return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw");
#else
  return false;
#endif
}

template <class Levels>
std::vector<std::string> names_of(const Levels& levels) {
  std::vector<std::string> names;
  for (const Vectors level : levels) names.emplace_back(vectors_name(level));
  return names;
}

}  // namespace

Vectors vectors() {
  const int chosen = vectors_in_use.load(std::memory_order_relaxed);
  if (chosen != not_chosen) return static_cast<Vectors>(chosen);
  const char* wish = std::getenv("TSRUN_VECTORS");
  set_vectors(wish != nullptr && *wish != '\0' ? vectors_named(wish) : vectors_available().back());
  return vectors();
}

std::string_view vectors_name(Vectors vectors) {
  switch (vectors) {
    case Vectors::baseline:
      return "baseline";
    case Vectors::avx2:
      return "avx2";
    case Vectors::avx512:
      return "avx512";
  }
  internal_error("vector instructions without a name");
}

Vectors vectors_named(const std::string& name) {
  for (const Vectors level : all_vectors) {
    if (vectors_name(level) != name) continue;
    if (processor_has(level)) return level;
    user_error("TSRUN_VECTORS={}: this processor has only {}", name, join_words(names_of(vectors_available())));
  }
  const std::vector<std::string> names = names_of(all_vectors);
  user_error("TSRUN_VECTORS={}: no such vector instructions, expected one of {}{}", name, join_words(names), did_you_mean(name, names));
}

std::vector<Vectors> vectors_available() {
  std::vector<Vectors> available;
  std::copy_if(all_vectors.begin(), all_vectors.end(), std::back_inserter(available), processor_has);
  return available;
}

void set_vectors(Vectors vectors) {
  if (!processor_has(vectors)) internal_error("this processor lacks {}", vectors_name(vectors));
  vectors_in_use.store(static_cast<int>(vectors), std::memory_order_relaxed);
}

}  // namespace tsrun
