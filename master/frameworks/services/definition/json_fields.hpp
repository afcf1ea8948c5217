// Reads one JSON object of outside origin field by field: a field that is absent or null leaves its
// target as it is, a field of the wrong type or size becomes a violation with its path. Used by
// app_parse only, so it may include all of nlohmann.
#pragma once

#include "master/frameworks/services/definition/api_error.hpp"

#include <nlohmann/json.hpp> // lint: includes because only this folder's .cpp files include it

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace methos::services {

constexpr std::size_t string_bytes_max = 128 * 1024; ///< the kernel's limit for one argument
constexpr std::size_t list_items_max = 1024;

/// What was found wrong: with the document's form, and with what it says.
struct Problems {
    Violations mistyped;
    Violations invalid;
};

class JsonFields {
  public:
    using json = nlohmann::json;

    /// `object` may be of any type: what is no object is a violation, and has no fields.
    JsonFields(const json& object, std::string path, Problems& problems);

    /// Null when the field is absent or null.
    [[nodiscard]] const json* find(const char* name) const;

    [[nodiscard]] bool has(const char* name) const { return find(name) != nullptr; }

    [[nodiscard]] std::string path_of(const std::string& name) const { return path_ + "/" + name; }

    [[nodiscard]] std::string path_of(const char* name, std::size_t index) const {
        return path_of(name) + "(" + std::to_string(index) + ")";
    }

    void read(const char* name, std::string& target) const;
    void read(const char* name, std::optional<std::string>& target) const;
    void read(const char* name, bool& target) const;
    void read(const char* name, double& target) const;
    void read(const char* name,
              std::int64_t& target,
              std::int64_t min = 0,
              std::int64_t max = std::numeric_limits<std::int64_t>::max()) const;
    void read_port(const char* name, std::uint16_t& target) const;
    void read(const char* name, std::vector<std::string>& target) const;
    void read(const char* name, std::map<std::string, std::string>& target) const;

    /// The field has to be there.
    void require(const char* name, std::string& target) const;

    /// One of a few words.
    template <class Enum>
    void read_word(const char* name,
                   Enum& target,
                   const std::vector<std::pair<std::string, Enum>>& words) const {
        std::string word;
        read(name, word);
        for (const auto& [known, value] : words) {
            if (word == known) {
                target = value;
                return;
            }
        }
        const auto* field = find(name);
        if (field != nullptr && field->is_string()) {
            std::string known;
            for (const auto& [text, value] : words) {
                known += (known.empty() ? "" : ", ") + text;
            }
            mistyped(name, "error.unknown.enum.literal (" + known + ")");
        }
    }

    /// Calls `each` with every item of a list and the item's path.
    void each(const char* name,
              const std::function<void(const json& item, const std::string& path)>& each) const;

    void mistyped(const std::string& name, const std::string& message) const;
    void invalid(const std::string& name, const std::string& message) const;

    [[nodiscard]] Problems& problems() const { return *problems_; }

  private:
    const json* object_;
    std::string path_;
    Problems* problems_;
};

/// A string that can be passed on: no NUL, bounded. Otherwise a violation, and false.
bool read_string(const nlohmann::json& value,
                 const std::string& path,
                 Problems& problems,
                 std::string& target);

/// An integer, also as 2.0. Otherwise a violation, and false.
bool read_integer(const nlohmann::json& value,
                  const std::string& path,
                  Problems& problems,
                  std::int64_t& target);

} // namespace methos::services
