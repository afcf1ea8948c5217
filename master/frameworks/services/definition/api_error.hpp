// An error as Marathon's clients read it: a status and a JSON body in Marathon's shape. A value;
// the API layer writes it out unchanged.
#pragma once

#include <boost/system/result.hpp>

#include <map>
#include <string>
#include <vector>

namespace methos::services {

struct ApiError {
    int status = 500;
    std::string body_json;
    friend bool operator==(const ApiError&, const ApiError&) = default;
};

/// What value() of an ApiResult throws: a Failure with the code of the status and the body as
/// message.
[[noreturn]] void throw_exception_from_error(const ApiError& error,
                                             const boost::source_location& where);

template <class T>
using ApiResult = boost::system::result<T, ApiError>;

/// What is wrong, by the place in the document: "/cpus", "/healthChecks(0)/portIndex", "/" for the
/// whole of it.
class Violations {
  public:
    /// Only the first `violations_max` are kept.
    void add(const std::string& path, std::string message);

    [[nodiscard]] bool empty() const { return by_path_.empty(); }

    [[nodiscard]] const std::map<std::string, std::vector<std::string>>& by_path() const {
        return by_path_;
    }

    static constexpr std::size_t violations_max = 100;

  private:
    std::map<std::string, std::vector<std::string>> by_path_;
    std::size_t count_ = 0;
};

/// {"message": text}
[[nodiscard]] ApiError api_error(int status, const std::string& message);

/// 400 {"message":"Invalid JSON","details":"<the parser's words>"}
[[nodiscard]] ApiError malformed_json(const std::string& details);

/// 422 {"message":"Invalid JSON","details":[{"path","errors"}]}: wrong types, missing fields.
[[nodiscard]] ApiError mistyped_json(const Violations& violations);

/// 422 {"message":"Object is not valid","details":[{"path","errors"}]}
[[nodiscard]] ApiError invalid_object(const Violations& violations);

} // namespace methos::services
