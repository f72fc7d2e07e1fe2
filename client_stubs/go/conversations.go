package gateway

import (
	"container/heap"
	"sync"

	"github.com/aulm/aulm-gateway/client_stubs/go/gatewayv1"
)

// conversation is an event's account, session and other side, which is empty where there is none.
type conversation struct{ account, session, peer string }

func conversationOf(event *gatewayv1.Event) conversation {
	c := conversation{account: event.GetAccount(), session: event.GetSessionId()}
	switch payload := event.GetPayload().(type) {
	case *gatewayv1.Event_InboundMessage:
		c.peer = payload.InboundMessage.GetFrom()
	case *gatewayv1.Event_MessageStatus:
		c.peer = payload.MessageStatus.GetTo()
	}
	return c
}

// task is what one handler is to do.
type task struct {
	number  int
	key     conversation
	handle  func() error
	dropped func() // called in place of handle where no handler is started any more; may be nil
}

// conversations runs handlers at the same time, up to a bound, and one after the other within a conversation. Of the tasks
// whose conversation is in no handler the oldest goes first: a single worker keeps the order of the log. The first failure
// ends it. Safe for concurrent use.
type conversations struct {
	most    int // tasks that may wait
	workers sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond
	next    int
	count   int
	waiting map[conversation][]*task // also empty: of a conversation that is in a handler
	ready   taskHeap                 // the oldest of each conversation that is in no handler
	closed  bool
	failure error
}

func newConversations(concurrency, most int) *conversations {
	c := &conversations{most: most, waiting: map[conversation][]*task{}}
	c.changed = sync.NewCond(&c.mu)
	for range max(concurrency, 1) {
		c.workers.Add(1)
		go c.work()
	}
	return c
}

// submit has a task done after those of its conversation. Blocks while too many wait; false once closed.
func (c *conversations) submit(t *task) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.count >= c.most && !c.closed {
		c.changed.Wait()
	}
	if c.closed {
		return false
	}
	t.number = c.next
	c.next++
	c.count++
	queue, busy := c.waiting[t.key]
	if !busy {
		heap.Push(&c.ready, t)
	}
	c.waiting[t.key] = append(queue, t)
	c.changed.Broadcast()
	return true
}

// close starts no further handler. Does not wait.
func (c *conversations) close() {
	c.mu.Lock()
	c.closed = true
	left := c.waiting
	c.waiting, c.ready, c.count = nil, nil, 0
	c.changed.Broadcast()
	c.mu.Unlock()
	for _, queue := range left {
		for _, t := range queue {
			if t.dropped != nil {
				t.dropped()
			}
		}
	}
}

// wait waits until the running handlers have ended, and returns the first failure. After close.
func (c *conversations) wait() error {
	c.workers.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failure
}

func (c *conversations) work() {
	defer c.workers.Done()
	for {
		t := c.take()
		if t == nil {
			return
		}
		if err := t.handle(); err != nil {
			c.mu.Lock()
			if c.failure == nil {
				c.failure = err
			}
			c.mu.Unlock()
			c.close()
			return
		}
		c.finish(t)
	}
}

// take waits for a task; nil once closed.
func (c *conversations) take() *task {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.ready) == 0 && !c.closed {
		c.changed.Wait()
	}
	if c.closed {
		return nil
	}
	t := heap.Pop(&c.ready).(*task)
	c.waiting[t.key] = c.waiting[t.key][1:]
	c.count--
	c.changed.Broadcast()
	return t
}

func (c *conversations) finish(t *task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	if queue := c.waiting[t.key]; len(queue) > 0 {
		heap.Push(&c.ready, queue[0])
		c.changed.Broadcast()
	} else {
		delete(c.waiting, t.key)
	}
}

// isClosed is true after close or a failure.
func (c *conversations) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// taskHeap has the oldest task first.
type taskHeap []*task

func (h taskHeap) Len() int           { return len(h) }
func (h taskHeap) Less(i, j int) bool { return h[i].number < h[j].number }
func (h taskHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *taskHeap) Push(t any)        { *h = append(*h, t.(*task)) }
func (h *taskHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
