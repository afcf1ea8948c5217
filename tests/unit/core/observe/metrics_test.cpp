// Metrics as their readers see them: Prometheus text and Dropwizard JSON of the same registry.
#include "core/observe/metrics.hpp"
#include "tests/support/catch.hpp"

#include <limits>
#include <nlohmann/json.hpp>

using namespace methos;
using nlohmann::json;

TEST_CASE("one registry is printed in both forms") {
    Metrics metrics;
    metrics.counter("methos_launches_total", "Launches.").increment(3);
    metrics.gauge("methos_hosts", "Hosts.", {{"state", "UP"}}).set(2);
    metrics.gauge("methos_hosts", "Hosts.", {{"state", "LOST"}}).set(1);

    const auto text = metrics.prometheus_text();
    REQUIRE(text.find("# TYPE methos_launches_total counter") != std::string::npos);
    REQUIRE(text.find("methos_launches_total 3") != std::string::npos);
    REQUIRE(text.find("methos_hosts{state=\"UP\"} 2") != std::string::npos);

    const auto document = json::parse(metrics.dropwizard_json());
    REQUIRE(document["version"] == "4.0.0");
    REQUIRE(document["counters"]["methos_launches_total"]["count"] == 3.0);
    REQUIRE(document["gauges"]["methos_hosts{state=\"UP\"}"]["value"] == 2.0);
    REQUIRE(document["gauges"]["methos_hosts{state=\"LOST\"}"]["value"] == 1.0);
}

TEST_CASE("an empty registry still has every section") {
    const auto document = json::parse(Metrics().dropwizard_json());
    for (const char* section : {"gauges", "counters", "histograms", "meters", "timers"}) {
        REQUIRE(document[section].is_object());
    }
}

TEST_CASE("asking for a metric twice gives the same one") {
    Metrics metrics;
    metrics.counter("c", "h", {{"a", "b"}}).increment();
    metrics.counter("c", "h", {{"a", "b"}}).increment();
    REQUIRE(metrics.prometheus_text().find("c{a=\"b\"} 2") != std::string::npos);
}

TEST_CASE("a histogram tells count, mean and quantiles") {
    Metrics metrics;
    const auto histogram = metrics.histogram("h", "help", {}, {1, 2, 4});
    const auto empty = json::parse(metrics.dropwizard_json())["histograms"]["h"];
    REQUIRE(empty["count"] == 0);
    REQUIRE(empty["p99"] == 0.0);
    for (const double value : {0.5, 1.5, 1.5, 3.0}) {
        histogram.observe(value);
    }
    const auto full = json::parse(metrics.dropwizard_json())["histograms"]["h"];
    REQUIRE(full["count"] == 4);
    REQUIRE(full["mean"] == Approx(1.625));
    REQUIRE(full["p50"].get<double>() == Approx(1.5));
    REQUIRE(full["max"].get<double>() == Approx(4.0));
    histogram.observe(1000);
    const auto beyond = json::parse(metrics.dropwizard_json())["histograms"]["h"];
    REQUIRE(beyond["max"].get<double>() == Approx(4.0));
}

TEST_CASE("what is not a number or not UTF-8 does not break the document") {
    Metrics metrics;
    metrics.gauge("g", "h").set(std::numeric_limits<double>::infinity());
    metrics.gauge("l", "h", {{"k", "\xff"}}).set(1);
    REQUIRE(json::parse(metrics.dropwizard_json())["gauges"]["g"]["value"].is_null());
}

TEST_CASE("the Accept header chooses the form") {
    const auto wants = [](const std::string& accept) { return Metrics::wants_prometheus(&accept); };
    REQUIRE_FALSE(Metrics::wants_prometheus(nullptr));
    REQUIRE_FALSE(wants("application/json"));
    REQUIRE(wants("*/*"));
    REQUIRE(wants("Text/Plain; version=0.0.4"));
    REQUIRE(wants("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"));
}
