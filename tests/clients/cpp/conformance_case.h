#pragma once

#include <boost/json/value.hpp>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "aulm/gateway/client/gateway_client.h"
#include "tests/clients/cpp/consumer.h"
#include "tests/clients/cpp/json_fields.h"
#include "tests/clients/cpp/world.h"

namespace aulm::gateway::conformance {

// Takes one case of the table: its steps in order, by nothing but the client's public interface. What does not come as
// expected is a failure of the running test. See tests/clients/conformance/README.md for the steps.
class ConformanceCase {
 public:
  // Both as the table has them.
  ConformanceCase(const boost::json::value& sessions, const boost::json::value& described);
  ConformanceCase(const ConformanceCase&) = delete;
  ConformanceCase& operator=(const ConformanceCase&) = delete;

  void Run();

 private:
  using Take = void (ConformanceCase::*)(const boost::json::value& what, const boost::json::value& expected);

  void TakeStep(const boost::json::value& step);
  void TakeGateway(const boost::json::value& what, const boost::json::value&);
  void TakeSimulator(const boost::json::value& what, const boost::json::value&);
  void TakeWebhook(const boost::json::value& what, const boost::json::value&);
  void TakeInbound(const boost::json::value& what, const boost::json::value&);
  void CheckRequests(const boost::json::value& what, const boost::json::value&);
  void SendText(const boost::json::value& what, const boost::json::value& expected);
  void SendImage(const boost::json::value& what, const boost::json::value& expected);
  void Await(const boost::json::value& what, const boost::json::value& expected);
  void SessionStatus(const boost::json::value& what, const boost::json::value& expected);
  void Subscribe(const boost::json::value& what, const boost::json::value&);
  void AwaitHandling(const boost::json::value& what, const boost::json::value&);
  void AwaitHandled(const boost::json::value& what, const boost::json::value&);
  void Release(const boost::json::value& what, const boost::json::value&);
  void AwaitNotice(const boost::json::value& what, const boost::json::value&);
  void Stopping(const boost::json::value& what, const boost::json::value&);
  void Stop(const boost::json::value& what, const boost::json::value&);
  void AwaitEnd(const boost::json::value& what, const boost::json::value&);
  void CopyStore(const boost::json::value& what, const boost::json::value&);
  void CreateSubscription(const boost::json::value& what, const boost::json::value&);
  void AwaitStats(const boost::json::value& what, const boost::json::value&);
  void AwaitParked(const boost::json::value& what, const boost::json::value&);
  void ReplayParked(const boost::json::value& what, const boost::json::value&);

  // Fills in what both kinds of send have, makes it, and checks the answer or leaves that to Await.
  template <typename Request>
  void Send(JsonFields& fields, Request request,
            std::function<boost::json::value(const Request&, const client::SendOptions&)> call,
            const boost::json::value& expected);
  std::string Session(const std::string& name) const;
  void SetStart(const boost::json::value& start, v1::SubscribeEventsRequest& request);
  v1::EventFilter Filter(const boost::json::value& filter) const;
  v1::Event Event(const std::string& name);
  Consumer& Of(const std::string& name);

  const boost::json::value sessions_;
  const boost::json::value steps_;
  World world_;
  std::optional<client::GatewayClient> client_;
  Record record_;
  std::map<std::string, std::shared_future<boost::json::value>> sends_;
  std::map<std::string, std::unique_ptr<Consumer>> consumers_;  // ends before all else
};

}  // namespace aulm::gateway::conformance
