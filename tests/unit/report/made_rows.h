#pragma once

#include "tsrun/report/report.h"

#include <gtest/gtest.h>

#include <cstdlib>

/// Rows of a table, and a folder for what is drawn of them.
namespace tsrun {

inline ReportRow row(const std::string& variant, int64_t seed, double last, double best, const std::string& section = "") {
  ReportRow out;
  out.variant = variant;
  out.section = section;
  out.seed = seed;
  out.last = last;
  out.best = best;
  out.top_answer_share = 0.5;
  out.trainable = 11171074;
  out.degrees_of_freedom = 96;
  out.bytes_shipped = 44684296;
  return out;
}

inline TableHead head() { return {"A <title> & more", "builtin:bert-mini", "builtin:entailment", "dev", "accuracy", 0.512}; }

inline std::vector<VariantSummary> two_variants() {
  return summarise({row("full", 1, 0.9, 0.92), row("full", 2, 0.92, 0.93), row("random_d=16 100% <b>", 1, 0.7, 0.75, "subspaces"),
                    row("random_d=16 100% <b>", 2, 0.74, 0.75, "subspaces")});
}

class ReportFolder : public ::testing::Test {
 protected:
  ReportFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "tsrun_report_XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~ReportFolder() override { std::filesystem::remove_all(path_); }
  std::filesystem::path path_;
};

inline bool gnuplot_is_installed() { return std::system("command -v gnuplot >/dev/null 2>&1") == 0; }

}  // namespace tsrun
