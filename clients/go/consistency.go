package quipu

import (
	"sync"
	"time"

	"github.com/quipu-memory/quipu/clients/go/quipuv1"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Consistency says how fresh a search must be, or of when. Its zero value is Strong().
type Consistency struct {
	level func(c *Client, spaces []string) *quipuv1.ReadConsistency
}

// Strong sees every write acknowledged before the search began, whichever replica took it.
func Strong() Consistency {
	return Consistency{func(*Client, []string) *quipuv1.ReadConsistency {
		return &quipuv1.ReadConsistency{
			Level: &quipuv1.ReadConsistency_Strong{Strong: &quipuv1.StrongRead{}},
		}
	}}
}

// Session sees what this client wrote.
func Session() Consistency {
	return Consistency{func(c *Client, spaces []string) *quipuv1.ReadConsistency {
		return atLeast(c.seen.of(spaces))
	}}
}

// AtLeast sees these revisions, by the id or the name of their spaces. A revision beyond the head of its space ends the
// search with ErrOutOfRange.
func AtLeast(revisions map[string]int64) Consistency {
	return Consistency{func(c *Client, _ []string) *quipuv1.ReadConsistency {
		return atLeast(c.named(revisions))
	}}
}

// AsOf sees the past: spaces as they were at these revisions, by the id or the name of their spaces; others as they
// stand. A revision beyond the head of its space ends the search with ErrOutOfRange.
func AsOf(revisions map[string]int64) Consistency {
	return Consistency{func(c *Client, _ []string) *quipuv1.ReadConsistency {
		return &quipuv1.ReadConsistency{
			Level: &quipuv1.ReadConsistency_AsOf{AsOf: &quipuv1.AsOfRead{Revisions: c.named(revisions)}},
		}
	}}
}

// MaxStaleness sees what was written earlier than this long ago: 0 to 1 hour.
func MaxStaleness(age time.Duration) Consistency {
	return Consistency{func(*Client, []string) *quipuv1.ReadConsistency {
		return &quipuv1.ReadConsistency{
			Level: &quipuv1.ReadConsistency_MaxStaleness{MaxStaleness: durationpb.New(age)},
		}
	}}
}

func (level Consistency) message(c *Client, spaces []string) *quipuv1.ReadConsistency {
	if level.level == nil {
		level = Strong()
	}
	return level.level(c, spaces)
}

func atLeast(revisions map[string]int64) *quipuv1.ReadConsistency {
	return &quipuv1.ReadConsistency{
		Level: &quipuv1.ReadConsistency_AtLeast{AtLeast: &quipuv1.AtLeastRead{Revisions: revisions}},
	}
}

// named gives revisions by the names of their spaces.
func (c *Client) named(revisions map[string]int64) map[string]int64 {
	named := make(map[string]int64, len(revisions))
	for space, revision := range revisions {
		named[c.spaceName(space)] = revision
	}
	return named
}

// revisions are the last ones seen, by name of space.
type revisions struct {
	lock   sync.Mutex
	latest map[string]int64
}

func (r *revisions) saw(space string, revision int64) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.latest == nil {
		r.latest = map[string]int64{}
	}
	r.latest[space] = max(revision, r.latest[space])
}

func (r *revisions) sawMemory(memory *Memory) *Memory {
	r.saw(spaceOf(memory.GetName()), memory.GetRevision())
	return memory
}

func (r *revisions) forget(space string) {
	r.lock.Lock()
	defer r.lock.Unlock()
	delete(r.latest, space)
}

// of gives the last revision seen of each space, 0 for none.
func (r *revisions) of(spaces []string) map[string]int64 {
	r.lock.Lock()
	defer r.lock.Unlock()
	found := make(map[string]int64, len(spaces))
	for _, space := range spaces {
		found[space] = r.latest[space]
	}
	return found
}
