#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "service/http/served_request.h"

namespace aulm::gateway {

// Beast's grammar of one request's header, with stricter rules for what frames the request. Collects the header fields
// as views. Internal to service/http: used by RequestReader, once a request and for its header alone.
class RequestGrammar final : public boost::beast::http::basic_parser<true> {
 public:
  // What is found goes to `request`, which must outlive this.
  RequestGrammar(ServedRequest& request, size_t most_fields, size_t header_bytes);

  // What the header said; meaningful once it is done.
  bool http_1_0() const { return version_ == 10; }
  bool is_chunked() const { return codings_ > 0; }
  uint64_t body_size() const { return body_size_.value_or(0); }
  bool expects_continue() const { return expects_continue_; }

  // What our own rules found wrong, empty when Beast's did.
  absl::string_view fault() const { return fault_; }
  bool too_many_fields() const { return too_many_fields_; }
  bool unknown_expectation() const { return unknown_expectation_; }

 private:
  using Error = boost::beast::error_code;
  using View = boost::beast::string_view;
  using Field = boost::beast::http::field;

  void on_request_impl(boost::beast::http::verb, View method, View target, int version, Error& error) override;
  void on_response_impl(int, View, int, Error& error) override;
  void on_field_impl(Field field, View name, View value, Error& error) override;
  void on_header_impl(Error& error) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>&, Error& error) override;
  std::size_t on_body_impl(View body, Error& error) override;
  void on_chunk_header_impl(std::uint64_t size, View extensions, Error& error) override;
  std::size_t on_chunk_body_impl(std::uint64_t remain, View body, Error& error) override;
  void on_finish_impl(Error& error) override;

  void Fail(absl::string_view fault, Error& error);
  void ReadTarget(absl::string_view target, Error& error);
  void ReadSize(absl::string_view value, Error& error);

  ServedRequest& request_;
  const size_t most_fields_;
  int version_ = 11;
  int hosts_ = 0;
  int codings_ = 0;
  std::optional<uint64_t> body_size_;
  bool expects_continue_ = false;
  bool too_many_fields_ = false;
  bool unknown_expectation_ = false;
  absl::string_view fault_;
};

}  // namespace aulm::gateway
