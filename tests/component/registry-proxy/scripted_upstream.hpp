// An upstream registry in the test's own process that does what the test says: serves content,
// counts requests, demands tokens, redirects, cuts bodies, lies about bytes, or fails. Loop thread
// only.
#pragma once

#include "core/http/server.hpp"
#include "registry-proxy/cache/digest.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace methos::test {

class ScriptedUpstream {
  public:
    explicit ScriptedUpstream(const asio::any_io_executor& executor);

    /// Content by path below /v2/: "team/app/manifests/1". Returns its digest.
    proxy::Digest put_blob(const std::string& name, const std::string& bytes);
    proxy::Digest
    put_manifest(const std::string& name, const std::string& tag, const std::string& bytes);

    /// A page of a repository's tags; `link` is its Link header, or empty.
    void put_tags(const std::string& name, const std::string& body, const std::string& link);

    [[nodiscard]] std::string url() const { return "http://" + address_; }

    [[nodiscard]] int count(const std::string& method_and_path) const;
    [[nodiscard]] awaitable<> stop();

    int fail_with = 0;            ///< requests are answered so, when set
    int fails_left = 1'000'000;   ///< so many of them
    std::shared_ptr<Gate> silent; ///< answers wait here
    bool needs_token = false;     ///< Bearer, from /token of this server or `realm`
    std::string realm;
    std::string refusal = "who are you"; ///< the body of a 401 or 403
    std::string token = "t0ken";         ///< what /token gives and what is accepted
    int refused_token_status = 401;      ///< for a token that was good once
    std::string basic_authorization;     ///< when set: what the Authorization must be
    bool redirects_blobs = false;
    bool ignores_ranges = false;
    bool hides_lengths = false;  ///< blobs come chunked
    bool corrupts_blobs = false; ///< right length, wrong bytes
    std::size_t cut_after = 0;   ///< blob bodies break after so many bytes, when set
    int cuts_left = 0;
    std::shared_ptr<Gate> hold; ///< blob bodies wait here after their first half
    std::vector<std::string> leaked_authorizations; ///< Authorization seen at the redirect's target
    std::vector<std::string> token_authorizations;
    std::vector<std::string> blob_ranges; ///< the Range of each blob request, or ""

  private:
    struct Document {
        std::string media_type;
        std::string bytes;
        std::string link;
    };

    awaitable<http::Response> answer(http::Request request);
    [[nodiscard]] std::optional<http::Response> refuse(const http::Request& request) const;
    awaitable<http::Response> answer_token(http::Request request);
    http::Response send_blob(const http::Request& request, const std::string& bytes);

    std::map<std::string, Document> documents_;
    std::map<std::string, int> counts_;
    std::unique_ptr<http::Server> server_;
    std::string address_;
};

} // namespace methos::test
