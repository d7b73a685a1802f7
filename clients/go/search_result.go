package quipu

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/quipu-memory/quipu/clients/go/quipuv1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

// SearchResult is the answer to a search. One goroutine at a time may use it.
type SearchResult struct {
	ctx         context.Context
	client      *Client
	request     *quipuv1.SearchRequest
	consistency Consistency
	summary     *SearchSummary
	hits        []*Hit
	runs        []*quipuv1.SearchContext
}

// Context is a part of a session around hits, in its order.
type Context struct {
	// Session is its name, `spaces/{space}/sessions/{session}`.
	Session string
	// Messages are hits and what stands around them.
	Messages []ContextMessage
}

// ContextMessage is a message of a part of a session.
type ContextMessage struct {
	Memory *Memory
	// Hit is the hit it is; nil for what stands around hits.
	Hit *Hit
}

// Hits gives the hits, best first, as they arrive. Nothing is sent before a range over them begins; each range asks
// anew. Leaving the range cancels the search. An error is the last thing it gives: ErrDataLoss when the answer was cut
// short.
func (r *SearchResult) Hits() iter.Seq2[*Hit, error] {
	return func(yield func(*Hit, error) bool) {
		r.summary, r.hits, r.runs = nil, nil, nil
		r.request.Consistency = r.consistency.message(r.client, r.request.GetSpaces())
		ctx, cancel := r.client.wire.begin(r.ctx)
		defer cancel()
		if err := r.read(ctx, func(hit *Hit) bool { return yield(hit, nil) }); err != nil {
			yield(nil, err)
		}
	}
}

// Summary says what answered. It is nil until the hits were read to the end.
func (r *SearchResult) Summary() *SearchSummary {
	return r.summary
}

// Contexts gives what was said around the hits, the part with the best hit first; with ExpandContext only. It is nil until
// the hits were read to the end.
func (r *SearchResult) Contexts() []*Context {
	if r.summary == nil {
		return nil
	}
	contexts := make([]*Context, 0, len(r.runs))
	for _, run := range r.runs {
		part := &Context{Session: run.GetSession()}
		for _, entry := range run.GetEntries() {
			message := ContextMessage{Memory: entry.GetMemory()}
			if message.Memory == nil {
				message.Hit = r.hits[entry.GetHit()]
				message.Memory = message.Hit.GetMemory()
			}
			part.Messages = append(part.Messages, message)
		}
		contexts = append(contexts, part)
	}
	return contexts
}

// read gives each hit to the caller, until there are no more or the caller returns false.
func (r *SearchResult) read(ctx context.Context, give func(*Hit) bool) error {
	stream, err := r.client.searches.Search(ctx, r.request)
	if err != nil {
		return r.client.wire.failure(err, r.request, nil)
	}
	var summary *SearchSummary
	for {
		response, err := stream.Recv()
		if err != nil {
			return r.end(err, stream, summary)
		}
		summary = response.GetSummary()
		r.hits = append(r.hits, response.GetHits()...)
		r.runs = append(r.runs, response.GetContexts()...)
		for _, hit := range response.GetHits() {
			if !give(hit) {
				return nil
			}
		}
	}
}

// end keeps the summary if the stream ended as it should.
func (r *SearchResult) end(
	err error, stream grpc.ServerStreamingClient[quipuv1.SearchResponse], summary *SearchSummary,
) error {
	if !errors.Is(err, io.EOF) {
		return r.client.wire.failure(err, r.request, stream.Trailer())
	}
	if summary == nil {
		const message = "the server ended the answer before its summary: hits may be missing"
		return &Error{Code: codes.DataLoss, Message: message}
	}
	r.summary = summary
	return nil
}
