// App files as people write them become the JSON that the master gets, or an error that names the
// place.
#include "cli/documents/app_file.hpp"
#include "cli/documents/yaml.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

#include <nlohmann/json.hpp>

#include <fstream>
#include <sstream>

using namespace methos;
using namespace methos::cli;
using nlohmann::json;

namespace {

json yaml_value(const std::string& text) {
    const auto documents = parse_yaml("value: " + text + "\n");
    REQUIRE(documents.has_value());
    return documents->at(0).at("value");
}

std::string yaml_error(const std::string& text) {
    const auto documents = parse_yaml(text);
    REQUIRE(documents.has_error());
    CHECK(documents.error().code == Code::InvalidInput);
    return documents.error().message;
}

std::string file_error(const std::string& name, const std::string& text) {
    const auto apps = parse_app_file(name, text);
    REQUIRE(apps.has_error());
    CHECK(apps.error().code == Code::InvalidInput);
    return apps.error().message;
}

} // namespace

TEST_CASE("YAML scalars have the types of YAML 1.2", "[cli]") {
    const auto row = GENERATE(table<std::string, std::string>({{"3", "3"},
                                                               {"-3", "-3"},
                                                               {"+3", "3"},
                                                               {"0x1F", "31"},
                                                               {"0o17", "15"},
                                                               {"017", "17"},
                                                               {"0.5", "0.5"},
                                                               {".5", "0.5"},
                                                               {"1e3", "1000.0"},
                                                               {"true", "true"},
                                                               {"False", "false"},
                                                               {"null", "null"},
                                                               {"~", "null"},
                                                               {"", "null"},
                                                               {"yes", "\"yes\""},
                                                               {"no", "\"no\""},
                                                               {"on", "\"on\""},
                                                               {"\"3\"", "\"3\""},
                                                               {"'true'", "\"true\""},
                                                               {"\"\"", "\"\""},
                                                               {"!!str 3", "\"3\""},
                                                               {"1.2.3", "\"1.2.3\""},
                                                               {"10:30", "\"10:30\""},
                                                               {"2026-01-01", "\"2026-01-01\""},
                                                               {"e", "\"e\""},
                                                               {"99999999999999999999", "1e+20"},
                                                               {"[1, a]", "[1,\"a\"]"},
                                                               {"{a: 1}", "{\"a\":1}"}}));
    INFO(std::get<0>(row));
    CHECK(yaml_value(std::get<0>(row)).dump() == std::get<1>(row));
}

TEST_CASE("values of env and labels are text, whatever they look like", "[cli]") {
    const auto apps = parse_yaml("id: /a\nenv: {PORT: 8080, DEBUG: true, RATE: 1.50, NO: no}\n"
                                 "labels: {tier: 1}\ninstances: 3\ncontainer: {env: {X: 1}}\n");
    REQUIRE(apps.has_value());
    const auto& app = apps->at(0);
    CHECK(app.at("env").at("PORT") == "8080");
    CHECK(app.at("env").at("DEBUG") == "true");
    CHECK(app.at("env").at("RATE") == "1.50");
    CHECK(app.at("labels").at("tier") == "1");
    CHECK(app.at("instances") == 3);
    CHECK(app.at("container").at("env").at("X") == 1);
}

TEST_CASE("the same holds in a list of apps and in several documents", "[cli]") {
    const auto list = parse_yaml("- {id: /a, env: {N: 1}}\n- {id: /b, env: {N: 2}}\n");
    REQUIRE(list.has_value());
    CHECK(list->at(0).at(1).at("env").at("N") == "2");
    const auto several = parse_yaml("id: /a\nenv: {N: 1}\n---\nid: /b\n---\n");
    REQUIRE(several.has_value());
    REQUIRE(several->size() == 2);
    CHECK(several->at(0).at("env").at("N") == "1");
}

TEST_CASE("anchors and merge keys work as people know them", "[cli]") {
    const auto apps = parse_yaml("- &base {id: /a, cpus: 0.5, mem: 64}\n"
                                 "- {<<: *base, id: /b, mem: 128}\n");
    REQUIRE(apps.has_value());
    CHECK(apps->at(0).at(1) == json({{"id", "/b"}, {"cpus", 0.5}, {"mem", 128}}));
}

TEST_CASE("YAML errors name line and column", "[cli]") {
    CHECK(yaml_error("id: /a\ncpus: [1\n").find("line 3") == 0);
    CHECK(yaml_error("id: /a\nid: /b\n") == "line 2, column 1: the key 'id' is given twice");
    CHECK(yaml_error("cpus: .inf\n").find("line 1, column 7: '.inf'") == 0);
    CHECK(yaml_error("[a]: 1\n").find("line 1") == 0);
    CHECK(yaml_error("a: !thing x\n").find("!thing") != std::string::npos);
}

TEST_CASE("a YAML bomb is refused, not unfolded", "[cli]") {
    std::string text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
    for (int i = 1; i < 12; ++i) {
        const auto before = "*a" + std::to_string(i - 1);
        text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
        for (int k = 0; k < 9; ++k) {
            text += "," + before;
        }
        text += "]\n";
    }
    CHECK(yaml_error(text).find("100000 values") != std::string::npos);
    CHECK(yaml_error("a: " + std::string(70, '[') + std::string(70, ']') + "\n").find("levels") !=
          std::string::npos);
    CHECK(yaml_error("a: " + std::string(50'000, '[')).size() > 0);
}

TEST_CASE("what is printed as YAML is read back as the same value", "[cli]") {
    const auto value = nlohmann::ordered_json::parse(R"({"id":"/a","n":3,"x":0.5,"t":true,"z":null,
        "texts":["3","true","","null","~","a: b","# c","- d","yes","0x1F","\u0001","two\nlines",
                 ".inf","<<","*a","&b","!c","  lead","äö","1e3"],
        "empty":{},"none":[],"nested":{"3":{"true":[[1],{"a":2}]}}})");
    const auto text = to_yaml(value);
    INFO(text);
    const auto back = parse_yaml(text);
    REQUIRE(back.has_value());
    CHECK(back->at(0) == json::parse(value.dump()));
}

TEST_CASE("an app file holds one app, a list or several documents", "[cli]") {
    const auto one = parse_app_file("a.json", R"({"id":"demo","instances":2})");
    REQUIRE(one.has_value());
    REQUIRE(one->size() == 1);
    CHECK(one->at(0).id == "/demo");
    CHECK(json::parse(one->at(0).body) == json({{"id", "/demo"}, {"instances", 2}}));
    CHECK(parse_app_file("a", R"([{"id":"/a"},{"id":"/b"}])")->size() == 2);
    CHECK(parse_app_file("a.yml", "id: /a\n---\n- id: /b\n- id: /c\n")->size() == 3);
    CHECK(parse_app_file("-", "\n  {id: /flow-style}\n")->at(0).id == "/flow-style");
}

TEST_CASE("what is wrong in an app file is named with its place", "[cli]") {
    CHECK(
        file_error("a.json", "{\n  \"id\": \"/a\",\n  oops\n}").find("a.json: line 3, column 3") ==
        0);
    CHECK(file_error("-", "{\"id\": ").find("standard input: line 1") == 0);
    CHECK(file_error("a.yaml", "- id: /a\n- 3\n").find("app 2 must be an object") !=
          std::string::npos);
    CHECK(file_error("a.yaml", "instances: 3\n").find("needs an \"id\"") != std::string::npos);
    CHECK(file_error("a.yaml", "id: 3\n").find("needs an \"id\"") != std::string::npos);
    CHECK(file_error("a.json", R"([{"id":"a"},{"id":"/a"}])").find("/a is in it twice") !=
          std::string::npos);
    CHECK(file_error("a.yaml", "").find("holds no app") != std::string::npos);
    CHECK(file_error("a.json", "[]").find("holds no app") != std::string::npos);
    CHECK(file_error("a.json", "").find("a.json:") == 0);
    CHECK(file_error("a.json", R"({"id":"/a","cpus":1e999})").find("a.json: number overflow") == 0);
    const auto deep = "{\"id\":\"/a\",\"x\":" + std::string(100, '[') + std::string(100, ']') + "}";
    CHECK(file_error("a.json", deep).find("levels") != std::string::npos);
}

TEST_CASE("files that cannot be read are told apart", "[cli]") {
    const test::TemporaryFolder folder;
    std::istringstream input("from standard input");
    CHECK(read_app_file("-", input).value() == "from standard input");
    const auto missing = read_app_file(folder.file("none.json"), input);
    REQUIRE(missing.has_error());
    CHECK(missing.error().message.find("No such file") != std::string::npos);
    CHECK(read_app_file(folder.path().string(), input).error().message.find("is a folder") !=
          std::string::npos);
    std::ofstream(folder.file("big.json")) << std::string(app_file_bytes_max + 1, ' ');
    CHECK(read_app_file(folder.file("big.json"), input).error().message.find("1 MiB") !=
          std::string::npos);
}
