#pragma once

#include "tsrun/base/error.h"
#include "tsrun/base/options.h"

#include <c10/util/Exception.h>

#include <filesystem>
#include <memory>
#include <new>
#include <string>
#include <utility>

namespace tsrun::plugin {

/// Plugin behind a call, for messages: "plugin NAME (FILE)".
struct GuardOrigin {
  std::string text;
  GuardOrigin(const std::string& name, const std::filesystem::path& file) : text(fmt::format("plugin {} ({})", name, file.string())) {}

  template <class Call>
  decltype(auto) run(const char* call, Call&& body, ErrorKind kind = ErrorKind::internal) const {
    try {
      return body();
    } catch (const Error&) {
      throw;
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const c10::Error& error) {
      throw Error(kind, fmt::format("{}: {}: {}", text, call, error.what_without_backtrace()));
    } catch (const std::exception& error) {
      throw Error(kind, fmt::format("{}: {}: {}", text, call, error.what()));
    } catch (...) {
      throw Error(kind, fmt::format("{}: {}: an exception that is no std::exception", text, call));
    }
  }

  template <class Pointer>
  Pointer made(const char* call, Pointer pointer) const {
    if (!pointer) internal_error("{}: {}: returned nothing", text, call);
    return pointer;
  }
};

/// Guards of the calls that all kinds of method have.
template <class Method>
class Guarded : public Method {
 public:
  Guarded(std::unique_ptr<Method> inner, const std::filesystem::path& file) : inner_(std::move(inner)), origin_(inner_->name(), file) {}
  std::string name() const override {
    return origin_.run("name", [&] { return inner_->name(); });
  }
  std::string doc() const override {
    return origin_.run("doc", [&] { return inner_->doc(); });
  }
  int version() const override {
    return origin_.run("version", [&] { return inner_->version(); });
  }
  OptionTable options() const override {
    return origin_.run("options", [&] { return inner_->options(); });
  }

 protected:
  std::unique_ptr<Method> inner_;
  GuardOrigin origin_;
};

}  // namespace tsrun::plugin
