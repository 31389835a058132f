// CallGuarded: the one way in which the library calls code that it does not trust not to throw.
//
// Catches whatever the call throws (std::exception, anything else, an exception whose own
// destructor throws) and answers it in words. The one thing that passes is the forced unwinding by
// which glibc ends a thread (pthread_cancel, pthread_exit): swallowing it would abort the process.
//
// Thread safety: thread-safe. Blocks as long as the call does. Free while nothing is thrown.

#ifndef FREEHOLD_SRC_BASE_GUARDED_CALL_H_
#define FREEHOLD_SRC_BASE_GUARDED_CALL_H_

#include <cxxabi.h>

#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <typeinfo>
#include <utility>

namespace freehold::internal {

inline std::string TypeName(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
  return status == 0 && name != nullptr ? name.get() : type.name();
}

// REQUIRES: called while an exception is being handled.
inline std::string DescribeThrown(const std::exception& e) {
  const char* what = e.what();
  return TypeName(typeid(e)) + ": " + (what != nullptr ? what : "(what() is null)");
}
inline std::string DescribeThrownOther() {
  const std::type_info* const type = abi::__cxa_current_exception_type();
  return type == nullptr ? std::string("an exception that is not from C++")
                         : "an object of type " + TypeName(*type);
}

// What `call` threw, in words; std::nullopt when it returned.
// The attribute: a handler for forced unwinding binds a reference to no object, by its design.
template <typename Call>
__attribute__((no_sanitize("null", "alignment"))) std::optional<std::string> CallGuarded(
    Call&& call) {
  // The outer block is for an exception object whose destructor throws as the inner one ends, and
  // for memory that runs out while the words are found.
  try {
    try {
      std::forward<Call>(call)();
      return std::nullopt;
#if defined(__GLIBCXX__)
    } catch (const abi::__forced_unwind&) {
      throw;
#endif
    } catch (const std::exception& e) {
      return DescribeThrown(e);
    } catch (...) {
      return DescribeThrownOther();
    }
#if defined(__GLIBCXX__)
  } catch (const abi::__forced_unwind&) {
    throw;
#endif
  } catch (...) {
    return std::string("indescribable");  // within the small-string buffer: needs no memory
  }
}

}  // namespace freehold::internal

#endif  // FREEHOLD_SRC_BASE_GUARDED_CALL_H_
