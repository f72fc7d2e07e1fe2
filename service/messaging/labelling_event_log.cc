#include "service/messaging/labelling_event_log.h"

#include <string>
#include <utility>

#include "aulm/gateway/v1/event.pb.h"
#include "service/messaging/message_record.h"

namespace aulm::gateway {

void LabellingEventLog::Append(NewEvent event, AppendCallback done) {
  if (event.type != v1::EVENT_TYPE_MESSAGE_STATUS || event.test) return log_.Append(std::move(event), std::move(done));
  // On the heap, so that the views given to Find stay good while the event moves on.
  auto held = std::make_unique<NewEvent>(std::move(event));
  const NewEvent& status = *held;
  sent_.Find(status.account, status.session_id, status.peer, status.message_id,
             [this, held = std::move(held), done = std::move(done)](const SentMessages::Match& match) mutable {
               AppendMatched(std::move(*held), match, std::move(done));
             });
}

void LabellingEventLog::AppendMatched(NewEvent event, const SentMessages::Match& match, AppendCallback done) {
  if (!match.known) return log_.Append(std::move(event), std::move(done));
  // What is appended to an encoded message adds to its maps and replaces its other fields.
  event.event += match.marks;
  std::string key = MessageKey(event.account, event.session_id, event.message_id);
  log_.Append(std::move(event),
              [this, key = std::move(key), done = std::move(done)](absl::StatusOr<Appended> appended) mutable {
                // Of a duplicate too: a crash may have come between the first one and its entry.
                if (appended.ok() && appended->sequence != 0) statuses_.Add(key, appended->sequence);
                std::move(done)(std::move(appended));
              });
}

}  // namespace aulm::gateway
