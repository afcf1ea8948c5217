// The fake Engine's calls on images: inspected, tagged, removed, imported, loaded, and pulled from
// what the test says registries have, layer by layer.
#include "tests/support/fake_engine_calls.hpp"

#include <algorithm>
#include <string_view>

namespace methos::test {

using State = FakeEngine::State;

FakeAnswer call_image(State& state, const UnixRequest& request, const Parts& parts) {
    const bool is_delete = request.method == "DELETE";
    auto reference = parts[1];
    const auto end = is_delete ? parts.size() : parts.size() - 1;
    for (std::size_t i = 2; i < end; ++i) {
        reference += "/" + parts[i];
    }
    const auto* image = state.find_image(reference);
    if (image == nullptr) {
        return refusal(404, "No such image: " + normal_reference(reference));
    }
    if (is_delete) {
        const auto id = image->id;
        const bool is_used = std::any_of(state.containers.begin(),
                                         state.containers.end(),
                                         [&id](const auto& user) { return user.image_id == id; });
        if (is_used && request.parameter("force").empty()) {
            return refusal(409,
                           "conflict: unable to remove repository reference \"" + reference +
                               "\" (must force) - container is using its referenced image");
        }
        std::erase_if(state.images, [&](const auto& entry) {
            return entry.first == normal_reference(reference) || reference == id;
        });
        return json_answer(200, Json::array());
    }
    if (parts.back() == "tag") {
        const auto copy = *image;
        state.put_image(request.parameter("repo") + ":" + request.parameter("tag"), copy);
        return {201, ""};
    }
    return json_answer(200, state.image_json(reference, *image));
}

FakeAnswer import_image(State& state, const UnixRequest& request) {
    FakeImage image;
    image.command.clear();
    image.id = "sha256:" + random_hex(32);
    for (const auto& change : request.parameters("changes")) {
        if (change.compare(0, 4, "CMD ") == 0) {
            image.command = Json::parse(change.substr(4)).get<std::vector<std::string>>();
        }
    }
    auto tag = request.parameter("tag");
    state.put_image(request.parameter("repo") + (tag.empty() ? "" : ":" + tag), image);
    Json json;
    json["status"] = image.id;
    return json_answer(200, json);
}

/// Finds the names in the archive's manifest.json without unpacking it.
FakeAnswer load_images(State& state, const UnixRequest& request) {
    constexpr std::string_view mark = "\"RepoTags\":[\"";
    const auto found = request.body.find(mark);
    if (found == std::string::npos) {
        return refusal(500, "open manifest.json: no such file or directory");
    }
    const auto start = found + mark.size();
    const auto name = request.body.substr(start, request.body.find('"', start) - start);
    state.put_image(name, FakeImage());
    Json json;
    json["stream"] = "Loaded image: " + name + "\n";
    return json_answer(200, json);
}

namespace {

std::string
layer_line(int layer, const std::string& status, std::int64_t done, std::int64_t total) {
    Json json;
    json["id"] = "layer" + std::to_string(layer);
    json["status"] = status;
    json["progressDetail"] = Json::object();
    if (total > 0) {
        json["progressDetail"]["current"] = done;
        json["progressDetail"]["total"] = total;
    }
    return json.dump() + "\r\n";
}

std::string status_line(const std::string& status) {
    Json json;
    json["status"] = status;
    return json.dump() + "\r\n";
}

/// Counts a pull as active for as long as it lives.
class ActivePull {
  public:
    explicit ActivePull(StatePtr state) : state_(std::move(state)) { ++state_->pulls_active; }

    ActivePull(const ActivePull&) = delete;
    ActivePull& operator=(const ActivePull&) = delete;

    ~ActivePull() { --state_->pulls_active; }

  private:
    StatePtr state_;
};

} // namespace

awaitable<void> stream_pull(StatePtr state, Exchange exchange) {
    const auto tag = exchange->request.parameter("tag");
    const auto reference = normal_reference(exchange->request.parameter("fromImage") +
                                            (tag.find(':') == std::string::npos ? ":" : "@") + tag);
    ++state->pulls[reference];
    state->pull_credentials.push_back(
        exchange->request.headers.get("X-Registry-Auth").value_or(""));
    const auto found = state->remotes.find(reference);
    if (found == state->remotes.end()) {
        co_await reply(state,
                       exchange,
                       refusal(404,
                               "manifest for " + reference +
                                   " not found: manifest unknown: manifest unknown"));
        co_return;
    }
    const auto remote = found->second;
    if (remote.status != 200) {
        co_await reply(state, exchange, refusal(remote.status, remote.message));
        co_return;
    }
    const ActivePull active(state);
    auto headers = headers_of(*state, "application/json");
    co_await exchange->begin(200, std::move(headers));
    co_await exchange->write(status_line("Pulling from " + reference));
    int number = 0;
    for (const auto bytes : remote.layers) {
        ++number;
        co_await exchange->write(layer_line(number, "Pulling fs layer", 0, 0));
        co_await exchange->write(layer_line(number, "Downloading", bytes / 2, bytes));
        if (remote.hold && number == 1) {
            auto gate = std::make_shared<Gate>(state->executor);
            state->held_pulls.push_back(gate);
            const bool goes_on = co_await exchange->wait(*gate);
            if (!goes_on) {
                exchange->close();
                co_return;
            }
        }
        while (remote.retry_forever) {
            co_await exchange->write(layer_line(number, "Retrying in 1 second", 0, 0));
            co_await sleep_for(std::chrono::milliseconds(5));
        }
        co_await exchange->write(layer_line(number, "Downloading", bytes, bytes));
        co_await exchange->write(layer_line(number, "Download complete", 0, 0));
        co_await exchange->write(layer_line(number, "Extracting", bytes, bytes));
        co_await exchange->write(layer_line(number, "Pull complete", 0, 0));
    }
    if (!remote.stream_error.empty()) {
        Json json;
        json["errorDetail"]["message"] = remote.stream_error;
        json["error"] = remote.stream_error;
        co_await exchange->write(json.dump() + "\r\n");
    } else {
        const bool is_new = state->find_image(remote.image.id) == nullptr;
        if (!remote.vanishes) {
            state->put_image(reference, remote.image);
        }
        co_await exchange->write(status_line("Digest: sha256:" + std::string(64, 'd')));
        std::string said = "Status: Image is up to date for ";
        if (is_new) {
            said = "Status: Downloaded newer image for ";
        }
        co_await exchange->write(status_line(said + reference));
    }
    co_await exchange->end();
}

} // namespace methos::test
