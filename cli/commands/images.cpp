#include "cli/commands/images.hpp"

#include "cli/client/record_lines.hpp"
#include "cli/commands/hosts.hpp"
#include "cli/output/progress.hpp"
#include "cli/output/words.hpp"
#include "core/base/json.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <ostream>

namespace methos::cli {

namespace {

using nlohmann::json;

constexpr const char* all_hosts = "all";

std::string text_at(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

/// "sha256:0123456789ab"
std::string short_image_id(const std::string& id) {
    constexpr std::size_t shown = 19;
    return id.substr(0, shown);
}

/// What the hosts of one call have said so far.
class PullWatch {
  public:
    explicit PullWatch(Terminal& terminal) : terminal_(terminal), progress_(terminal) {}

    void take(const std::string& line) {
        const auto record = try_parse_json(line);
        const auto id = record.is_object() ? text_at(record, "host") : "";
        if (id.empty()) {
            throw Failure(Code::Protocol,
                          "the master sent a record of no host: " + shortened(printable(line), 80));
        }
        const auto state = text_at(record, "state");
        const auto name = text_at(record, "hostname") + "  " + id.substr(0, 8) + "  ";
        if (state == "READY") {
            finish(id, name, "ready", Tone::Good, short_image_id(text_at(record, "imageId")));
            ++ready_;
        } else if (state == "FAILED") {
            const auto error = record.find("error");
            finish(id,
                   name,
                   "failed",
                   Tone::Bad,
                   error != record.end() && error->is_object() ? text_at(*error, "message") : "");
            ++failed_;
        } else {
            pulling_[id] = how_far(record);
        }
        show();
    }

    /// The answer is over.
    int result() {
        progress_.clear();
        for (const auto& [id, far] : pulling_) {
            terminal_.err << "methos: the master's answer ended before host " << printable(id)
                          << " was done\n";
        }
        if (ready_ + failed_ == 0 && pulling_.empty()) {
            terminal_.err << "No host has joined yet; nothing was fetched.\n";
        }
        return failed_ > 0 || !pulling_.empty() ? exit_code::failed : exit_code::done;
    }

  private:
    static std::string how_far(const json& record) {
        const auto place = json::json_pointer("/progress/percent");
        if (record.contains(place) && record.at(place).is_number_integer()) {
            return std::to_string(record.at(place).get<std::int64_t>()) + " %";
        }
        return text_at(record, "message");
    }

    void finish(const std::string& id,
                const std::string& name,
                const char* word,
                Tone tone,
                const std::string& what) {
        pulling_.erase(id);
        progress_.clear();
        if (terminal_.form == Form::Json) {
            return; // the record has been printed
        }
        terminal_.out << printable(name) << paint(word, tone, terminal_.colour) << "  "
                      << printable(what) << '\n'
                      << std::flush;
    }

    void show() {
        if (pulling_.empty()) {
            return;
        }
        std::string far;
        for (const auto& [id, text] : pulling_) {
            far += text.empty() || !far.empty() ? "" : text;
        }
        progress_.show(counted(ready_, "host") + " ready, " + std::to_string(pulling_.size()) +
                       " pulling" + (far.empty() ? "" : " (" + printable(far) + ")"));
    }

    Terminal& terminal_;
    Progress progress_;
    std::map<std::string, std::string> pulling_; ///< by host id: how far it is
    std::int64_t ready_ = 0;
    std::int64_t failed_ = 0;
};

json hosts_of(Session& session, const ImagesPullOptions& options) {
    if (options.hosts.size() == 1 && options.hosts.front() == all_hosts) {
        return all_hosts;
    }
    const auto names = list_host_names(session);
    auto ids = json::array();
    for (const auto& host : options.hosts) {
        ids.push_back(names.at(find_host(host, names).value()).id);
    }
    return ids;
}

} // namespace

int run_images_pull(Session& session, const ImagesPullOptions& options) {
    auto& terminal = session.terminal;
    if (terminal.form == Form::Yaml || terminal.form == Form::Name) {
        throw Failure(Code::InvalidInput, "a pull prints lines, or records with -o json");
    }
    json body;
    body["image"] = options.image;
    body["hosts"] = hosts_of(session, options);
    body["force"] = options.force;

    PullWatch watch(terminal);
    RecordLines lines;
    const auto on_piece = [&](const StreamPiece& piece) {
        lines.take(piece.bytes, [&](const std::string& line) {
            if (terminal.form == Form::Json) {
                terminal.out << line << '\n' << std::flush;
            }
            watch.take(line);
        });
        return terminal.out.good();
    };
    session.master.stream("/methos/v1/images/pull",
                          "application/x-ndjson",
                          "pull " + options.image,
                          on_piece,
                          std::nullopt,
                          dump_json(body));
    return watch.result();
}

} // namespace methos::cli
