package gateway

import (
	"math/rand/v2"
	"time"
)

// backoff tells how long to wait before each attempt after a failed one: doubling up to a bound, jittered so that a
// gateway's clients do not come back all at once. Not safe for concurrent use.
type backoff struct {
	least, most, next time.Duration
}

func newBackoff(least, most time.Duration) *backoff {
	return &backoff{least: least, most: max(least, most), next: least}
}

// wait is the next delay: between a half and the whole of a value that doubles each time.
func (b *backoff) wait() time.Duration {
	whole := b.next
	b.next = min(whole*2, b.most)
	return time.Duration(float64(whole) * (0.5 + rand.Float64()/2))
}

// reset says that an attempt came through: start over.
func (b *backoff) reset() { b.next = b.least }

// spread is the wait and up to a fifth more: for a wait that all clients of a gateway were told alike.
func spread(wait time.Duration) time.Duration {
	return time.Duration(float64(wait) * (1 + rand.Float64()/5))
}
