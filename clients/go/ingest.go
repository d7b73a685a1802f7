package quipu

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/google/uuid"
	"github.com/quipu-memory/quipu/clients/go/quipuv1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Items that were sent and not acknowledged, and their bytes: some transactions of the server, so that it always has
// work.
const (
	mostWaiting      = 512
	mostWaitingBytes = 8 << 20
)

// IngestOptions are for Ingest.
type IngestOptions struct {
	// Space to add to; default: that of the client. It is made if there is none.
	Space string
	// StreamID is a UUID of the whole; give it to go on after an error, within 7 days, with the same drafts from the
	// first again: what was stored is not stored again. Default: a new one.
	StreamID string
	// DeferEmbedding does not wait for the model: they are found by words only until a job has embedded them.
	DeferEmbedding bool
}

// Outcome is what became of a draft.
type Outcome struct {
	// Offset is its place among all, from 0.
	Offset int64
	// Name and Revision are those of the memory that was stored; empty and 0 when it was refused.
	Name     string
	Revision int64
	// Searchable says whether every search finds it; if not, it is found by words only until it is embedded.
	Searchable bool
	// Redactions are the personal data that the server left out of it.
	Redactions []*Redaction
	// Err says why it was refused, an *Error; nil when it was stored.
	Err error
}

// Ingest stores drafts as they come, however many, each on its own, and gives what became of each, in their order. One
// that is refused leaves the others. Nothing is stored before the first outcome is asked for, and no more than 512
// drafts are read beyond the last one.
//
// When the server goes away, what it did not acknowledge is sent again by itself; the client's timeout is how long it
// may stay away, and does not count otherwise. An error is the last thing it gives; its RequestID is the stream's.
func (c *Client) Ingest(ctx context.Context, drafts iter.Seq[Draft], options *IngestOptions) iter.Seq2[*Outcome, error] {
	chosen := orDefault(options)
	start := &quipuv1.IngestStart{
		Parent: c.spaceName(chosen.Space), StreamId: chosen.StreamID, DeferEmbedding: chosen.DeferEmbedding,
	}
	if start.GetStreamId() == "" {
		start.StreamId = uuid.NewString()
	}
	return func(yield func(*Outcome, error) bool) {
		next, stop := iter.Pull(drafts)
		defer stop()
		ingesting := &ingesting{ctx: ctx, client: c, start: start, next: next, progressed: time.Now()}
		if err := ingesting.run(func(outcome *Outcome) bool { return yield(outcome, nil) }); err != nil {
			yield(nil, err)
		}
	}
}

// ingesting is a stream of drafts over one call or several.
type ingesting struct {
	ctx    context.Context
	client *Client
	start  *quipuv1.IngestStart
	next   func() (Draft, bool)

	read    int64                 // drafts that were read
	isRead  bool                  // all of them
	waiting []*quipuv1.IngestItem // sent and not acknowledged
	bytes   int                   // of those

	progressed time.Time
}

// answer is what came from the server: a response, or the end of the call.
type answer struct {
	response *quipuv1.IngestMemoriesResponse
	err      error
}

func (g *ingesting) run(give func(*Outcome) bool) error {
	for failures := 0; ; failures++ {
		before := g.progressed
		failed := g.call(give)
		var err *Error
		if failed == nil || !errors.As(failed, &err) {
			return failed
		}
		err.RequestID = g.start.GetStreamId()
		if g.progressed != before {
			failures = 0
		}
		if err.Code != codes.Unavailable || time.Since(g.progressed) > g.client.wire.timeout {
			return err
		}
		if err := g.client.wire.pause(g.ctx, failures); err != nil {
			return err
		}
	}
}

// call makes one call, and gives its outcomes until everything is acknowledged or the caller leaves.
func (g *ingesting) call(give func(*Outcome) bool) error {
	if g.isDone() {
		return nil
	}
	ctx, cancel := context.WithCancel(g.client.wire.identified(g.ctx))
	defer cancel()
	stream, err := g.client.memories.IngestMemories(ctx)
	if err != nil {
		return g.client.wire.failure(err, nil, nil)
	}
	answers := make(chan answer, mostWaiting) // each has at least one acknowledgement
	go func() {
		for {
			response, err := stream.Recv()
			answers <- answer{response, err}
			if err != nil {
				return
			}
		}
	}()
	g.begin(stream)
	for !g.isDone() {
		if isSent, err := g.sendNext(stream); err != nil {
			return err
		} else if isSent && len(answers) == 0 {
			continue
		}
		got := <-answers
		if got.err != nil {
			return g.client.wire.failure(ended(got.err, "ingestion"), nil, stream.Trailer())
		}
		if !g.acknowledge(got.response, give) {
			return nil
		}
	}
	return nil
}

// begin says where the items go, and sends again what was not acknowledged. What goes wrong, Recv tells.
func (g *ingesting) begin(stream quipuv1.MemoryService_IngestMemoriesClient) {
	stream.Send(&quipuv1.IngestMemoriesRequest{Message: &quipuv1.IngestMemoriesRequest_Start{Start: g.start}})
	for _, item := range g.waiting {
		stream.Send(&quipuv1.IngestMemoriesRequest{Message: &quipuv1.IngestMemoriesRequest_Item{Item: item}})
	}
	if g.isRead {
		stream.CloseSend()
	}
}

// sendNext sends one more item if there is one and it may wait.
func (g *ingesting) sendNext(stream quipuv1.MemoryService_IngestMemoriesClient) (bool, error) {
	if g.isRead || len(g.waiting) >= mostWaiting || g.bytes >= mostWaitingBytes {
		return false, nil
	}
	draft, isThere := g.next()
	if !isThere {
		g.isRead = true
		stream.CloseSend()
		return true, nil
	}
	created, err := draft.request()
	if err != nil {
		return false, err
	}
	item := &quipuv1.IngestItem{Offset: g.read, MemoryId: created.GetMemoryId(), Memory: created.GetMemory()}
	g.read++
	g.waiting = append(g.waiting, item)
	g.bytes += proto.Size(item)
	stream.Send(&quipuv1.IngestMemoriesRequest{Message: &quipuv1.IngestMemoriesRequest_Item{Item: item}})
	return true, nil
}

// acknowledge gives outcomes, and says whether the caller wants more.
func (g *ingesting) acknowledge(response *quipuv1.IngestMemoriesResponse, give func(*Outcome) bool) bool {
	g.progressed = time.Now()
	for _, told := range response.GetAcknowledgements() {
		if len(g.waiting) == 0 || g.waiting[0].GetOffset() != told.GetOffset() {
			continue
		}
		g.bytes -= proto.Size(g.waiting[0])
		g.waiting = g.waiting[1:]
		if !give(g.outcome(told)) {
			return false
		}
	}
	return true
}

func (g *ingesting) outcome(told *quipuv1.IngestAcknowledgement) *Outcome {
	if refused := told.GetRefused(); refused != nil {
		return &Outcome{Offset: told.GetOffset(), Err: refusal(refused, g.start.GetStreamId())}
	}
	stored := told.GetStored()
	g.client.seen.saw(g.start.GetParent(), stored.GetRevision())
	return &Outcome{
		Offset: told.GetOffset(), Name: stored.GetName(), Revision: stored.GetRevision(), Redactions: stored.GetRedactions(),
		Searchable: stored.GetState() == quipuv1.IngestState_INGEST_STATE_SEARCHABLE,
	}
}

func (g *ingesting) isDone() bool {
	return g.isRead && len(g.waiting) == 0
}

// refusal is the error for an item that the server refused.
func refusal(refused *quipuv1.IngestRefusal, streamID string) *Error {
	failed := &Error{
		Code:      codes.Code(refused.GetCode()),
		Reason:    refused.GetReason(),
		Message:   refused.GetMessage(),
		Metadata:  refused.GetMetadata(),
		RequestID: streamID,
	}
	if refused.GetField() != "" {
		failed.Fields = []FieldViolation{{refused.GetField(), refused.GetMessage()}}
	}
	return failed
}

// ended is the error of a stream that ended: a server does not end it by itself.
func ended(err error, what string) error {
	if errors.Is(err, io.EOF) {
		return status.Error(codes.Unavailable, "the server ended the "+what)
	}
	return err
}
