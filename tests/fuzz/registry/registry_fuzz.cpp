// Throws broken input at every parser of the registry proxy that reads what clients, upstreams and
// operators send. Nothing may crash, and what is accepted must hold what its reader promises. Under
// GCC its own main runs the corpus below and seeded mutations of it; libFuzzer brings its own.
#include "core/base/glob.hpp"
#include "registry-proxy/api/range.hpp"
#include "registry-proxy/api/route.hpp"
#include "registry-proxy/cache/manifest.hpp"
#include "registry-proxy/hosting/push_guard.hpp"
#include "registry-proxy/upstream/auth.hpp"
#include "registry-proxy/upstream/names.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

using namespace methos;
using namespace methos::proxy;

namespace {

void require(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "broken promise: %s\n", what);
        std::abort();
    }
}

void check_paths(const std::string& text) {
    const auto path = parse_registry_path(text);
    if (!path || path->name.empty()) {
        return;
    }
    require(is_legal_name(path->name), "an accepted name is legal");
    require(path->name.find("..") == std::string::npos, "a name never climbs");
    UpstreamTable table;
    const auto target = table.resolve(path->name, std::nullopt);
    if (target) {
        require(is_legal_name(target->name), "a target's name is legal");
    }
    (void)table.resolve(path->name, path->reference);
}

void check_ranges(const std::string& text) {
    constexpr std::uint64_t total = 1000;
    const auto choice = choose_range(text, total);
    if (choice.kind == RangeChoice::Kind::Part) {
        require(choice.part.length > 0, "a part is not empty");
        require(choice.part.offset + choice.part.length <= total, "a part is inside");
    }
    const auto range = parse_content_range(text);
    require(!range || range->first <= range->last, "a range goes forward");
    (void)parse_upload_range(text);
}

void check_auth(const std::string& text) {
    const auto challenges = parse_challenges(text);
    require(challenges.size() <= 32, "challenges are bounded");
    for (const auto& challenge : challenges) {
        (void)choose_scope(challenge, "a/b");
    }
    const auto url = parse_registry_url(text);
    if (url) {
        require(url->port > 0 && url->port < 65536, "a port is one");
        const auto upstream = parse_registry_url("https://ghcr.io").value();
        const bool own = judge_realm(upstream, *url) == RealmTrust::Own;
        require(!own || url->scheme == "https", "credentials never leave by http");
    }
    (void)parse_credentials(text);
    (void)parse_token_answer(text);
    (void)PushGuard::parse(text);
    if (const auto bytes = base64_decode(text)) {
        (void)base64_encode(*bytes);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    check_paths(text);
    check_paths("/v2/" + text);
    check_ranges(text);
    check_ranges("bytes=" + text);
    check_auth(text);
    (void)read_manifest(text);
    (void)bare_media_type(text);
    UpstreamTable table;
    (void)table.add(text);
    (void)table.allow(text);
    (void)matches_glob(text, "registry.example.com");
    return 0;
}

#ifndef METHOS_LIBFUZZER

namespace {

const std::vector<std::string> corpus{
    "",
    "/v2/library/busybox/manifests/latest",
    "/v2/a/blobs/uploads/0-1?digest=sha256:00",
    "/v2/127.0.0.1_5000/a/b/tags/list",
    "bytes=0-99",
    "bytes 0-99/1000",
    R"(Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull")",
    R"(Basic realm="x, y", Bearer realm="http://[::1]:5000/t?x=y")",
    R"({"auths":{"https://index.docker.io/v1/":{"auth":"dTpw"}}})",
    R"({"token":"t","expires_in":1e300})",
    R"({"schemaVersion":2,"config":{"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0},"layers":[]})",
    R"({"schemaVersion":2,"manifests":[{"digest":"sha256:00","size":-1}]})",
    "https://user@ghcr.io:443/token#x",
    "ghcr.io=https://ghcr.io",
    "ann:secret\n# x\nbob:y",
};

/// A few random edits: flip, drop, repeat, splice.
std::string mutate(std::mt19937& random, std::string text) {
    const auto edits = 1 + random() % 8;
    for (std::uint32_t i = 0; i < edits; ++i) {
        const auto at = text.empty() ? 0 : random() % text.size();
        switch (random() % 4) {
        case 0:
            text.insert(at, 1, static_cast<char>(random()));
            break;
        case 1:
            text.erase(at, random() % 8);
            break;
        case 2:
            text.insert(at, text.substr(at, random() % 16));
            break;
        default: {
            const auto& other = corpus[random() % corpus.size()];
            text = text.substr(0, at) + other.substr(other.empty() ? 0 : random() % other.size());
            break;
        }
        }
    }
    return text;
}

void run_one(const std::string& text) {
    (void)LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}

} // namespace

/// Usage: registry_fuzz [SEED [ROUNDS]]
int main(int argc, char** argv) {
    const unsigned long seed =
        argc > 1 ? std::strtoul(argv[1], nullptr, 10) : std::random_device()();
    const auto rounds = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 20'000UL;
    std::printf("seed %lu\n", seed);
    std::fflush(stdout);
    for (const auto& text : corpus) {
        run_one(text);
    }
    std::mt19937 random(static_cast<std::uint32_t>(seed));
    for (unsigned long i = 0; i < rounds; ++i) {
        run_one(mutate(random, corpus[random() % corpus.size()]));
    }
    return 0;
}

#endif
