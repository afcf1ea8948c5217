// When a disk counts as full: the marks that people may name, the one they get without, and that a
// host does not change its mind at every byte.
#include "executor/collect/disk_gauge.hpp"
#include "tests/support/catch.hpp"

namespace methos::executor {

namespace {

constexpr std::int64_t gib = 1LL << 30;

DiskSpace space(std::int64_t total, std::int64_t free) {
    return DiskSpace{total, free, 1'000'000, 900'000};
}

} // namespace

TEST_CASE("a watermark is a share, a size or off") {
    using Kind = DiskWatermark::Kind;
    CHECK(parse_disk_watermark("").value() == DiskWatermark());
    CHECK(parse_disk_watermark("5%").value() == DiskWatermark{Kind::Percent, 5});
    CHECK(parse_disk_watermark("2GiB").value() == DiskWatermark{Kind::Bytes, 2 * gib});
    CHECK(parse_disk_watermark("off").value().kind == Kind::Off);
    const auto wrong = GENERATE(
        as<std::string>(), "0%", "51%", "-1%", "%", "5.5%", "0", "none", "5", "2XB", "9999999TiB");
    CAPTURE(wrong);
    if (wrong == "5") {
        CHECK(parse_disk_watermark(wrong).value() == DiskWatermark{Kind::Bytes, 5});
    } else {
        CHECK_FALSE(parse_disk_watermark(wrong));
    }
}

TEST_CASE("without a watermark a twentieth is kept free, within bounds") {
    const DiskWatermark usual;
    CHECK(usual.of(100 * gib) == 5 * gib);
    CHECK(usual.of(4000 * gib) == 10 * gib);
    CHECK(usual.of(8 * gib) == gib);
    CHECK(usual.of(2 * gib) == gib / 2);
}

SCENARIO("a disk that is low is left alone until twice the mark is free") {
    DiskGauge gauge(DiskWatermark{DiskWatermark::Kind::Bytes, gib});
    CHECK_FALSE(gauge.saw(space(100 * gib, gib), "/d"));
    CHECK(gauge.trouble().empty());
    CHECK(gauge.wants_room()); // images go before tasks are refused
    CHECK(gauge.saw(space(100 * gib, gib - 1), "/d"));
    const auto told = gauge.trouble();
    CHECK(told.find("/d") != std::string::npos);
    CHECK_FALSE(gauge.saw(space(100 * gib, gib / 2), "/d"));
    CHECK_FALSE(gauge.saw(space(100 * gib, 2 * gib - 1), "/d"));
    CHECK_FALSE(gauge.saw(DiskSpace(), "/d")); // not measured: nothing is known
    CHECK(gauge.trouble() == told);
    CHECK(gauge.saw(space(100 * gib, 2 * gib), "/d"));
    CHECK(gauge.trouble().empty());
    CHECK_FALSE(gauge.wants_room());
}

SCENARIO("a mark of most of the disk can be left again") {
    DiskGauge gauge(DiskWatermark{DiskWatermark::Kind::Bytes, 9 * gib});
    CHECK(gauge.saw(space(10 * gib, 8 * gib), "/d"));
    CHECK(gauge.saw(space(10 * gib, 10 * gib - gib / 4), "/d"));
}

SCENARIO("a disk without inodes is as full as one without bytes") {
    DiskGauge gauge{DiskWatermark()};
    CHECK(gauge.saw(DiskSpace{100 * gib, 90 * gib, 1'000'000, 19'999}, "/d"));
    CHECK(gauge.trouble().find("inodes") != std::string::npos);
    CHECK_FALSE(gauge.saw(DiskSpace{100 * gib, 90 * gib, 1'000'000, 39'999}, "/d"));
    CHECK(gauge.saw(DiskSpace{100 * gib, 90 * gib, 1'000'000, 40'000}, "/d"));
    AND_WHEN("the file system has no limit of inodes") {
        CHECK_FALSE(gauge.saw(DiskSpace{100 * gib, 90 * gib, 0, 0}, "/d"));
    }
}

SCENARIO("with off a full disk is nobody's business") {
    DiskGauge gauge(DiskWatermark{DiskWatermark::Kind::Off, 0});
    CHECK_FALSE(gauge.saw(space(100 * gib, 0), "/d"));
    CHECK(gauge.trouble().empty());
    CHECK_FALSE(gauge.wants_room());
}

} // namespace methos::executor
