package quipu

import (
	"context"
	"encoding/base64"
	"errors"
	"iter"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/quipu-memory/quipu/clients/go/quipuv1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// How long to wait before a watch begins anew; gRPC makes several attempts after each wait.
const (
	firstWait   = 200 * time.Millisecond
	longestWait = 5 * time.Second
)

// WatchOptions are for Watch.
type WatchOptions struct {
	// Spaces to watch, 1 to 16; default: that of the client.
	Spaces []string
	// After has the revisions after which changes are told, 0 for all, by id or name of space, as from Position. A space
	// that is not in it is watched from now on.
	After map[string]int64
	// Token is that of an earlier watch, which this one goes on after; with it, After has no effect. A watch fails with
	// ErrOutOfRange (LOG_REPLACED) when the database was restored to before what the earlier one has told.
	Token string
	// Filter tells the changes of memories that meet it after the change or met it before.
	Filter string
	// FilterTree is the condition as a tree; with it, Filter has no effect.
	FilterTree *Filter
}

// Change is what happened to a memory.
type Change struct {
	// Space is its name, `spaces/{space}`.
	Space string
	// Revision of the space that the change made.
	Revision int64
	// Change is ChangeCreated, or another of its kind.
	Change quipuv1.MemoryChange
	// Memory as the change left it; a deleted one as it was.
	Memory *Memory
	// Left says that the memory met the filter before the change and does not any more, though it was not deleted.
	Left bool
}

// Watching follows changes. One goroutine at a time may range over it; any may ask for its position.
type Watching struct {
	ctx     context.Context
	client  *Client
	request *quipuv1.WatchMemoriesRequest

	lock     sync.Mutex
	position map[string]int64
	nonces   map[string]int64
	broken   error
}

// Watch follows the changes of spaces: each once and in the order of its space, those made before and those to come.
func (c *Client) Watch(ctx context.Context, options *WatchOptions) *Watching {
	chosen := orDefault(options)
	request := &quipuv1.WatchMemoriesRequest{Spaces: c.spaceNames(chosen.Spaces)}
	if chosen.FilterTree != nil {
		request.Filtering = &quipuv1.WatchMemoriesRequest_FilterTree{FilterTree: chosen.FilterTree}
	} else if chosen.Filter != "" {
		request.Filtering = &quipuv1.WatchMemoriesRequest_Filter{Filter: chosen.Filter}
	}
	watching := &Watching{ctx: ctx, client: c, request: request, position: c.named(chosen.After), nonces: map[string]int64{}}
	if chosen.Token != "" {
		watching.position, watching.nonces, watching.broken = readToken(chosen.Token)
	}
	return watching
}

// Changes gives the changes as they happen, until the range is left or the context ends; the client's timeout does not
// count. When the server goes away after it has answered once, the watch goes on by itself where it was as soon as there
// is a server again. Another range goes on after the last one. An error is the last thing it gives: ErrNotFound, also
// when a space is deleted, ErrOutOfRange, ErrUnavailable when no server ever answered, or that of the context.
func (w *Watching) Changes() iter.Seq2[*Change, error] {
	return func(yield func(*Change, error) bool) {
		if w.broken != nil {
			yield(nil, w.broken)
			return
		}
		give := func(change *Change) bool { return yield(change, nil) }
		for failures := 0; ; failures++ {
			hasBegun, err := w.read(give)
			if err == nil {
				return
			}
			if hasBegun {
				failures = 0
			}
			if err.Code == codes.Unavailable && (hasBegun || failures > 0) {
				err = w.client.wire.pause(w.ctx, failures)
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// Position says how far the watch has come, by name of space. Kept, and given as After, it goes on after the change that
// was read last.
func (w *Watching) Position() map[string]int64 {
	w.lock.Lock()
	defer w.lock.Unlock()
	return maps.Clone(w.position)
}

// Token is the position as text, the same in the clients for all languages. Given as Token, it also notices when the
// database was restored meanwhile.
func (w *Watching) Token() string {
	w.lock.Lock()
	defer w.lock.Unlock()
	begin := &quipuv1.WatchMemoriesRequest{AfterRevisions: w.position, AfterNonces: w.nonces}
	packed, _ := proto.MarshalOptions{Deterministic: true}.Marshal(begin) // names of spaces are valid text: it cannot fail
	return base64.RawURLEncoding.EncodeToString(packed)
}

// readToken gives the revisions and nonces of a token.
func readToken(token string) (position, nonces map[string]int64, err error) {
	var begin quipuv1.WatchMemoriesRequest
	packed, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		err = proto.Unmarshal(packed, &begin)
	}
	if err != nil || len(begin.GetAfterRevisions()) == 0 {
		return map[string]int64{}, map[string]int64{}, errors.New("quipu: Token is not that of a watch")
	}
	if begin.AfterNonces == nil {
		begin.AfterNonces = map[string]int64{}
	}
	return begin.GetAfterRevisions(), begin.GetAfterNonces(), nil
}

// read makes one call and gives its changes to the caller. It ends without an error when the caller returns false.
func (w *Watching) read(give func(*Change) bool) (hasBegun bool, failed *Error) {
	ctx, cancel := context.WithCancel(w.client.wire.identified(w.ctx))
	defer cancel()
	w.begin()
	stream, err := w.client.memories.WatchMemories(ctx, w.request)
	if err != nil {
		return false, w.client.wire.failure(err, w.request, nil)
	}
	for {
		response, err := stream.Recv()
		if err != nil {
			return hasBegun, w.client.wire.failure(ended(err, "watch"), w.request, stream.Trailer())
		}
		hasBegun = true
		w.client.seen.saw(response.GetSpace(), response.GetRevision())
		if !w.give(response, give) {
			return true, nil
		}
	}
}

// give gives the changes of one response, and notes how far it has come.
func (w *Watching) give(response *quipuv1.WatchMemoriesResponse, give func(*Change) bool) bool {
	for _, watched := range response.GetChanges() {
		made := watched.GetRevision()
		w.reach(response.GetSpace(), made.GetRevision(), watched.GetNonce())
		change := &Change{response.GetSpace(), made.GetRevision(), made.GetChange(), made.GetMemory(), watched.GetLeft()}
		if !give(change) {
			return false
		}
	}
	w.reach(response.GetSpace(), response.GetRevision(), response.GetNonce())
	return true
}

func (w *Watching) reach(space string, revision, nonce int64) {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.position[space], w.nonces[space] = revision, nonce
}

// begin lets the next call begin after what was read last.
func (w *Watching) begin() {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.request.AfterRevisions, w.request.AfterNonces = maps.Clone(w.position), maps.Clone(w.nonces)
}

// pause waits before a call begins anew: twice as long each time, and never the same for all who wait.
func (w *wire) pause(ctx context.Context, failures int) *Error {
	wait := min(firstWait<<min(failures, 9), longestWait)
	timer := time.NewTimer(wait/2 + rand.N(wait/2))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return w.failure(status.FromContextError(ctx.Err()).Err(), nil, nil)
	}
}
