// Which master is asked, with which token, by environment, context file and the local master's own
// token; and what `methos dev` does to somebody's context file.
#include "cli/client/target.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

using namespace methos;
using namespace methos::cli;

namespace {

/// A home of the test's own, without a local master.
struct Home {
    test::TemporaryFolder folder;
    Environment environment;

    Home() {
        environment.variables["HOME"] = folder.path().string();
        environment.admin_token_file = folder.file("admin.token");
    }

    void write_config(const std::string& text) const {
        std::filesystem::create_directories(folder.path() / ".config/methos");
        std::ofstream(folder.path() / ".config/methos/config.toml") << text;
    }

    void write_admin_token() const {
        std::ofstream(environment.admin_token_file) << "local-token\n";
    }
};

constexpr const char* two_contexts = "current = \"prod\" # the usual one\n"
                                     "[contexts.prod]\n"
                                     "url = \"https://prod:8080/\"\n"
                                     "token = \"prod-token\"\n"
                                     "registry = \"http://prod:5000\"\n"
                                     "[contexts.dev]\n"
                                     "url = \"http://127.0.0.1:9999\"\n";

std::string parse_error(const std::string& text) {
    std::istringstream stream(text);
    const auto file = parse_context_file(stream, "config.toml");
    REQUIRE(file.has_error());
    CHECK(file.error().code == Code::InvalidInput);
    return file.error().message;
}

} // namespace

TEST_CASE("without anything, the local master is asked without a token", "[cli]") {
    const Home home;
    const auto target = resolve_target(home.environment, "").value();
    CHECK(target.url == "http://127.0.0.1:8080");
    CHECK(target.registry == "http://127.0.0.1:5000");
    CHECK(target.token.empty());
    CHECK(target.token_source.empty());
}

TEST_CASE("the token that a local master wrote is used where it can be read", "[cli]") {
    const Home home;
    home.write_admin_token();
    const auto target = resolve_target(home.environment, "").value();
    CHECK(target.token == "local-token");
    CHECK(target.token_source == home.environment.admin_token_file);
}

TEST_CASE("the local master's token stays on this machine", "[cli]") {
    Home home;
    home.write_admin_token();
    home.environment.own_hosts = {"alpha", "10.0.0.1", "fd00::1"};
    const auto token_for = [&home](const char* url) {
        home.environment.variables["METHOS_URL"] = url;
        return resolve_target(home.environment, "").value().token;
    };
    const auto* own = GENERATE("http://127.0.0.1:8080",
                               "http://127.9.9.9",
                               "https://LOCALHOST:1/",
                               "http://[::1]:8080",
                               "http://Alpha:8080",
                               "http://10.0.0.1:8080",
                               "http://[fd00::1]");
    CHECK(token_for(own) == "local-token");
    const auto* other = GENERATE("http://beta:8080",
                                 "http://10.0.0.2:8080",
                                 "http://127.0.0.1.evil.test",
                                 "http://127.0.0.1@evil.test",
                                 "http://127.0.0.1:8080@evil.test",
                                 "http://evil.test/127.0.0.1",
                                 "http://[fd00::2]:8080");
    CHECK(token_for(other).empty());
}

TEST_CASE("the current context of the file is used, and a named one before it", "[cli]") {
    const Home home;
    home.write_config(two_contexts);
    home.write_admin_token();
    const auto current = resolve_target(home.environment, "").value();
    CHECK(current.url == "https://prod:8080");
    CHECK(current.token == "prod-token");
    CHECK(current.registry == "http://prod:5000");
    CHECK(current.token_source.find("context prod") == 0);
    const auto named = resolve_target(home.environment, "dev").value();
    CHECK(named.url == "http://127.0.0.1:9999");
    CHECK(named.token == "local-token");
}

TEST_CASE("the environment comes before any context", "[cli]") {
    Home home;
    home.write_config(two_contexts);
    home.environment.variables["METHOS_URL"] = "http://other:1";
    home.environment.variables["METHOS_TOKEN"] = "env-token\n";
    home.environment.variables["METHOS_REGISTRY"] = "http://other:2";
    const auto target = resolve_target(home.environment, "prod").value();
    CHECK(target.url == "http://other:1");
    CHECK(target.token == "env-token");
    CHECK(target.token_source == "METHOS_TOKEN");
    CHECK(target.registry == "http://other:2");
}

TEST_CASE("the current context's token does not go to another master", "[cli]") {
    Home home;
    home.write_config(two_contexts);
    home.environment.variables["METHOS_URL"] = "http://other:1";
    CHECK(resolve_target(home.environment, "").value().token.empty());
    home.environment.variables["METHOS_URL"] = "https://prod:8080/";
    CHECK(resolve_target(home.environment, "").value().token == "prod-token");
}

TEST_CASE("a token can be in a file of its own", "[cli]") {
    const Home home;
    home.write_admin_token();
    home.write_config("[contexts.a]\ntoken-file = \"" + home.environment.admin_token_file + "\"\n" +
                      "[contexts.b]\ntoken-file = \"/nowhere/token\"\n");
    CHECK(resolve_target(home.environment, "a").value().token == "local-token");
    const auto missing = resolve_target(home.environment, "b");
    REQUIRE(missing.has_error());
    CHECK(missing.error().message.find("/nowhere/token") != std::string::npos);
}

TEST_CASE("what is wrong with contexts is said", "[cli]") {
    Home home;
    home.write_config(two_contexts);
    const auto unknown = resolve_target(home.environment, "staging");
    REQUIRE(unknown.has_error());
    CHECK(unknown.error().code == Code::NotFound);
    CHECK(unknown.error().message.find("there are dev and prod") != std::string::npos);
    home.environment.variables["METHOS_URL"] = "prod:8080";
    const auto no_url = resolve_target(home.environment, "");
    REQUIRE(no_url.has_error());
    CHECK(no_url.error().code == Code::InvalidInput);
    home.environment.variables["METHOS_URL"] = "http://x:1";
    home.environment.variables["METHOS_TOKEN"] = "a\r\nX-Evil: 1";
    CHECK(resolve_target(home.environment, "").has_error());

    CHECK(parse_error("colour = \"red\"\n").find("'colour' is not known") != std::string::npos);
    CHECK(parse_error("[contexts.a]\nurls = \"x\"\n").find("contexts.a.urls") != std::string::npos);
    CHECK(parse_error("[contexts.a]\nurl = [\"x\", \"y\"]\n").find("one value") !=
          std::string::npos);
    CHECK(parse_error("[contexts.a]\ntoken = \"a#b\"\n").find("one value") != std::string::npos);
    CHECK(parse_error("%%%%\n").find("%%%%") != std::string::npos);
}

TEST_CASE("dev adds its context and takes it away, and touches nothing else", "[cli]") {
    ContextEntry entry;
    entry.url = "http://127.0.0.1:4711";
    entry.token_file = "/data/admin.token";
    const auto parse = [](const std::string& text) {
        std::istringstream stream(text);
        return parse_context_file(stream, "config.toml").value();
    };
    SECTION("a file with a current context keeps it") {
        const auto changed = with_context_entry(two_contexts, "dev", entry);
        const auto file = parse(changed);
        CHECK(file.current == "prod");
        CHECK(file.contexts.at("prod").token == "prod-token");
        CHECK(file.contexts.at("dev").url == "http://127.0.0.1:4711");
        CHECK(changed.find("# the usual one") != std::string::npos);
        CHECK(parse(without_context_entry(changed, "dev")).contexts.size() == 1);
    }
    SECTION("without one, dev becomes the current one until it ends") {
        const auto changed = with_context_entry("", "dev", entry);
        CHECK(parse(changed).current == "dev");
        CHECK(parse(changed).contexts.at("dev").token_file == "/data/admin.token");
        CHECK(without_context_entry(changed, "dev").empty());
        CHECK(with_context_entry(changed, "dev", entry) == changed);
    }
}

TEST_CASE("whose certificates are trusted: the context's word, then the environment's", "[cli]") {
    Home home;
    const auto own = home.folder.file("own.pem");
    const auto general = home.folder.file("general.pem");
    std::ofstream(own) << "pem\n";
    std::ofstream(general) << "pem\n";
    home.write_config(
        "current = \"prod\"\n[contexts.prod]\nurl = \"https://prod:8080\"\nca-file = \"" + own +
        "\"\n[contexts.dev]\nurl = \"https://dev:8080\"\n");
    CHECK(resolve_target(home.environment, "").value().ca_file == own);
    CHECK(resolve_target(home.environment, "dev").value().ca_file.empty());
    home.environment.variables["SSL_CERT_FILE"] = general;
    CHECK(resolve_target(home.environment, "").value().ca_file == own);
    CHECK(resolve_target(home.environment, "dev").value().ca_file == general);

    const auto absent = home.folder.file("absent.pem");
    home.environment.variables["SSL_CERT_FILE"] = absent;
    const auto refused = resolve_target(home.environment, "dev");
    REQUIRE(refused.has_error());
    CHECK(refused.error().code == Code::InvalidInput);
    CHECK_THAT(refused.error().message,
               Catch::Matchers::Contains(absent) && Catch::Matchers::Contains("SSL_CERT_FILE"));
}
