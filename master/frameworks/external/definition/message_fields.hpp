// Reads one protobuf message in its JSON form, field by field: a field that is absent or null
// leaves its target as it is, unknown fields are ignored, a single value stands for a list of one,
// and the first field of a wrong type becomes the problem of the whole document, with its path.
// That is how Mesos reads JSON. Used by this folder's readers only, so it may include all of
// nlohmann.
#pragma once

#include <nlohmann/json.hpp> // lint: includes because only this folder's .cpp files include it

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace methos::external {

/// The first thing that was found wrong: "accept.offer_ids[0].value: expected a string".
class Problem {
  public:
    void add(const std::string& path, const std::string& what) {
        if (text_.empty()) {
            text_ = path.empty() ? what : path + ": " + what;
        }
    }

    [[nodiscard]] bool found() const { return !text_.empty(); }

    [[nodiscard]] const std::string& text() const { return text_; }

  private:
    std::string text_;
};

class MessageFields {
  public:
    using json = nlohmann::json;

    /// `object` may be of any type: what is no object is a problem, and has no fields. It and
    /// `problem` outlive this.
    MessageFields(const json& object, std::string path, Problem& problem);

    /// Null when the field is absent or null.
    [[nodiscard]] const json* find(const char* name) const;

    [[nodiscard]] bool has(const char* name) const { return find(name) != nullptr; }

    [[nodiscard]] std::string path_of(const std::string& name) const {
        return path_.empty() ? name : path_ + "." + name;
    }

    void read(const char* name, std::string& target) const;
    void read(const char* name, bool& target) const;
    void read(const char* name, double& target) const;
    void read(const char* name, std::optional<double>& target) const;
    /// An integer, also as 2.0; not negative and below 2^63.
    void read(const char* name, std::int64_t& target) const;
    void read(const char* name, std::vector<std::string>& target) const;
    /// The text inside of `{"value": "..."}`: how Mesos writes every id.
    void read_id(const char* name, std::string& target) const;
    /// Base64 to bytes.
    void read_bytes(const char* name, std::string& target) const;

    /// Required by Mesos's protobuf: absent is a problem.
    template <class T>
    void require(const char* name, T& target) const {
        require(name);
        read(name, target);
    }

    void require(const char* name) const;
    void require_id(const char* name, std::string& target) const;

    /// A message inside of this one; without fields when it is absent.
    [[nodiscard]] MessageFields message(const char* name) const;
    /// Calls `each` with every message of a list.
    void each(const char* name, const std::function<void(const MessageFields& item)>& each) const;
    /// Every value of a list with its path, whatever it is.
    void
    each_value(const char* name,
               const std::function<void(const json& item, const std::string& path)>& each) const;

    void wrong(const char* name, const std::string& what) const {
        problem_->add(path_of(name), what);
    }

    [[nodiscard]] const json& object() const { return *object_; }

  private:
    const json* object_;
    std::string path_;
    Problem* problem_;
};

/// Standard base64 with padding. Errors: nullopt for anything else.
[[nodiscard]] std::optional<std::string> base64_decode(const std::string& text);
[[nodiscard]] std::string base64_encode(const std::string& bytes);

} // namespace methos::external
