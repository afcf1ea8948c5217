// That one identity is used by one executor at a time, and is free again when that one has ended.
#include "executor/session/host_claim.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

#include <fstream>

namespace methos::executor::test {

using Catch::Matchers::Contains;

TEST_CASE("a data directory is one executor's") {
    const methos::test::TemporaryFolder folder;
    const auto data_dir = folder.file("made/on/the/way");
    {
        const auto first = HostClaim::of_data_dir(data_dir);
        CHECK_THROWS_WITH(HostClaim::of_data_dir(data_dir), Contains(data_dir));
        const auto other = HostClaim::of_data_dir(folder.file("other"));
    }
    CHECK_NOTHROW(HostClaim::of_data_dir(data_dir));
}

TEST_CASE("a data directory that cannot be one is named") {
    const methos::test::TemporaryFolder folder;
    const auto file = folder.file("a-file");
    std::ofstream(file) << "no folder";
    CHECK_THROWS_WITH(HostClaim::of_data_dir(file), Contains(file));
}

TEST_CASE("a host id is one executor's, and others can tell") {
    const HostId id(random_hex(16));
    const HostId other(random_hex(16));
    CHECK_FALSE(is_claimed(id));
    {
        auto claim = HostClaim::of_host(id, "/data");
        CHECK(is_claimed(id));
        CHECK_FALSE(is_claimed(other));
        CHECK_THROWS_WITH(HostClaim::of_host(id, "/copy"), Contains(id.value) && Contains("/copy"));
        const auto moved = std::move(claim);
        CHECK(is_claimed(id));
    }
    CHECK_FALSE(is_claimed(id));
    const auto again = HostClaim::of_host(id, "/data");
    CHECK(is_claimed(id));
}

TEST_CASE("however many ask, a claimed host id stays claimed") {
    const HostId id(random_hex(16));
    const auto claim = HostClaim::of_host(id, "/data");
    bool always = true;
    for (int asker = 0; asker < 1000; ++asker) {
        always = always && is_claimed(id);
    }
    CHECK(always);
}

} // namespace methos::executor::test
