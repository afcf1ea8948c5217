// What may be fetched, under which name it is kept and what becomes of it: names that would lead
// out of a sandbox, schemes nobody here speaks, and files of the host that nobody has allowed.
#include "executor/fetch/fetch_plan.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

#include <filesystem>
#include <fstream>

using namespace methos;
using namespace methos::executor;

namespace {

FetchItem item(const std::string& uri, const std::string& output_file = "") {
    FetchItem wanted;
    wanted.uri = uri;
    wanted.output_file = output_file;
    return wanted;
}

FetchStep planned(const FetchItem& wanted, const FetchPolicy& policy = {}) {
    const auto steps = plan_fetch({wanted}, policy);
    INFO((steps ? std::string() : steps.error().to_string()));
    REQUIRE(steps);
    return steps->at(0);
}

Error refusal(const std::vector<FetchItem>& wanted, const FetchPolicy& policy = {}) {
    const auto steps = plan_fetch(wanted, policy);
    REQUIRE_FALSE(steps);
    return steps.error();
}

} // namespace

TEST_CASE("a file is named as its URI's path ends, or as it is told") {
    const auto [uri, output_file, file] = GENERATE(table<std::string, std::string, std::string>({
        {"http://h/a.txt", "", "a.txt"},
        {"https://u:p@h:8443/x/y/run.sh?token=abc#part", "", "run.sh"},
        {"HTTP://h/A%20b", "", "A%20b"},
        {"  http://h/a.txt", "", "a.txt"},
        {"http://h/a.txt", "conf/b.txt", "conf/b.txt"},
        {"http://h/a.txt", "./conf//b.txt", "conf/b.txt"},
        {"http://h/", "index.html", "index.html"},
        {"http://h", "index.html", "index.html"},
        {"http://h/..a", "", "..a"},
    }));
    CAPTURE(uri, output_file);
    CHECK(planned(item(uri, output_file)).file == file);
}

TEST_CASE("a name that leads out of the sandbox, or is none, is refused") {
    const auto [uri, output_file] = GENERATE(table<std::string, std::string>({
        {"http://h/", ""},
        {"http://h", ""},
        {"http://h/..", ""},
        {"http://h/.", ""},
        {"http://h/a", "../a"},
        {"http://h/a", "/etc/passwd"},
        {"http://h/a", "x/../../a"},
        {"http://h/a", "x/.."},
        {"http://h/a", "folder/"},
        {"http://h/a", "."},
        {"http://h/a", "a\nb"},
        {"http://h/a", std::string("a\0b", 3)},
        {"http://h/a", std::string(256, 'n')},
        {"http://h/" + std::string(256, 'n'), ""},
        {"http://h/a\r\nX: y", ""},
        {"", ""},
        {"   ", "a"},
    }));
    CAPTURE(uri, output_file);
    CHECK(refusal({item(uri, output_file)}).code == Code::InvalidInput);
}

TEST_CASE("what is fetched becomes what Mesos made of it") {
    const auto [file, use] = GENERATE(table<std::string, FetchedUse>({
        {"a.tar", FetchedUse::Unpack},
        {"a.tgz", FetchedUse::Unpack},
        {"a.tar.gz", FetchedUse::Unpack},
        {"a.tbz2", FetchedUse::Unpack},
        {"a.tar.bz2", FetchedUse::Unpack},
        {"a.txz", FetchedUse::Unpack},
        {"a.tar.xz", FetchedUse::Unpack},
        {"a.zip", FetchedUse::Unpack},
        {"a.gz", FetchedUse::Gunzip},
        {".gz", FetchedUse::Keep},
        {"a.jar", FetchedUse::Keep},
        {"a.TGZ", FetchedUse::Keep},
        {"tgz", FetchedUse::Keep},
    }));
    CAPTURE(file);
    auto wanted = item("http://h/" + file + "?v=1");
    CHECK(planned(wanted).use == use);
    CHECK(planned(item("http://h/x", file)).use == use); // the name it is given counts
    wanted.executable = true;
    CHECK(planned(wanted).use == FetchedUse::MakeExecutable);
    wanted.executable = false;
    wanted.extract = false;
    CHECK(planned(wanted).use == FetchedUse::Keep);
}

TEST_CASE("only http, https and the host's own files are known, and secrets are not shown") {
    for (const auto* uri :
         {"ftp://h/a", "hdfs://h/a", "s3://b/a", "a.txt", "://h/a", "unix:///a"}) {
        CAPTURE(uri);
        CHECK(refusal({item(uri)}).code == Code::InvalidInput);
    }
    CHECK(planned(item("https://user:pass@h/a?token=abc")).shown == "https://h/a");
    const auto error = refusal({item("ftp://user:pass@h/a?token=abc")}).to_string();
    CHECK(error.find("ftp://h/a") != std::string::npos);
    CHECK(error.find("pass") == std::string::npos);
    CHECK(error.find("abc") == std::string::npos);
}

TEST_CASE("two files of one name are refused rather than one of them lost") {
    const auto error = refusal({item("http://h/a/f"), item("http://h/b/f")});
    CHECK(error.code == Code::InvalidInput);
    CHECK(error.message.find("destPath") != std::string::npos);
    CHECK(plan_fetch({item("http://h/a/f"), item("http://h/b/f", "g")}, {}));
}

TEST_CASE("files of the host are fetched where the policy says, seen through links, else never") {
    const methos::test::TemporaryFolder folder;
    const std::string base = std::filesystem::canonical(folder.path()).string();
    std::filesystem::create_directories(base + "/open/deep");
    std::filesystem::create_directories(base + "/openly");
    for (const auto* name : {"/open/a", "/open/deep/b", "/openly/c", "/secret"}) {
        std::ofstream(base + name) << "x";
    }
    std::filesystem::create_symlink(base + "/secret", base + "/open/link");
    const FetchPolicy none;
    FetchPolicy some;
    some.roots = {base + "/open", base + "/openly/c"};

    CHECK(refusal({item("file://" + base + "/open/a")}, none).code == Code::Forbidden);
    for (const auto* uri : {"/open/a", "/open/deep/b", "/openly/c"}) {
        CAPTURE(uri);
        const auto step = planned(item("file://" + base + uri), some);
        CHECK(step.local);
        CHECK(step.local_path == base + uri);
        CHECK(planned(item(base + uri), some).local_path == base + uri);
        CHECK(planned(item("file://localhost" + base + uri), some).local_path == base + uri);
    }
    for (const auto* path : {"/secret", "/open/link", "/open/../secret", "/openly/d"}) {
        CAPTURE(path);
        CHECK(refusal({item("file://" + base + path)}, some).code == Code::Forbidden);
    }
    CHECK(refusal({item("file://other" + base + "/open/a")}, some).code == Code::InvalidInput);
}
