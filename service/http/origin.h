#pragma once

#include <boost/asio/ip/address.hpp>
#include <string>

namespace aulm::gateway {

// What counts as one address where connections are limited for each: an IPv4 address, also one written as IPv6, or the
// first 64 bits of an IPv6 address, since one host may choose the rest as it likes. An opaque key. Internal to
// service/http.
std::string OriginOf(const boost::asio::ip::address& address);

}  // namespace aulm::gateway
