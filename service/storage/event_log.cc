#include "service/storage/event_log.h"
