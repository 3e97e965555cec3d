#include "train/metrics_log.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"

#include <cerrno>
#include <cstring>
#include <fstream>

namespace tsrun::training {

MetricsLog::MetricsLog(std::filesystem::path file, nlohmann::json records) : file_(std::move(file)), records_(std::move(records)) {
  std::string lines;
  for (const auto& record : records_) lines += record.dump() + "\n";
  write_durable(file_, lines);
}

void MetricsLog::append(const nlohmann::json& record) {
  std::ofstream out(file_, std::ios::app | std::ios::binary);
  out << record.dump() << '\n' << std::flush;
  if (!out) run_error("{}: cannot be written: {}", file_.string(), std::strerror(errno));
  records_.push_back(record);
}

}  // namespace tsrun::training
