// Catch2 v2 (Debian 12) or v3 (the wrap), whichever is there; and how a failed assertion prints a
// Result.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <boost/system/result.hpp>

/// Boost's own operator<< wants both value and error printable; ours need not be.
template <class T, class E>
struct Catch::StringMaker<boost::system::result<T, E>> {
    static std::string convert(const boost::system::result<T, E>& result) {
        if (result.has_value()) {
            return "{a value}";
        }
        if constexpr (requires { result.error().to_string(); }) {
            return "error: " + result.error().to_string();
        } else {
            return "{an error}";
        }
    }
};
