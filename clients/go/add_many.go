package quipu

import (
	"context"
	"strconv"

	"github.com/google/uuid"
	"github.com/quipu-memory/quipu/clients/go/quipuv1"
)

// AddManyOptions are for AddMany.
type AddManyOptions struct {
	// Space to add to; default: that of the client. It is made if there is none.
	Space string
	// RequestID is a UUID: with the same one and the same memories, what was stored before is not stored again.
	// Default: a new one.
	RequestID string
	// DeferEmbedding does not wait for the model: they are found by words only until a job has embedded them.
	DeferEmbedding bool
}

// AddMany stores memories in batches of up to 100, each all or none, one after the other, and returns them as stored.
//
// With an error come the memories that were stored: the first len(stored) of the drafts. A context without a deadline
// gets that of the client for each batch.
func (c *Client) AddMany(ctx context.Context, drafts []Draft, options *AddManyOptions) (stored []*Memory, err error) {
	chosen := orDefault(options)
	parent := c.spaceName(chosen.Space)
	whole, err := uuid.Parse(requestIDOrNew(chosen.RequestID))
	if err != nil {
		return nil, invalid("request_id", "%v", err)
	}
	requests, err := creations(drafts)
	if err != nil {
		return nil, err
	}
	number := 0
	for batch := range batches(requests) {
		request := &quipuv1.BatchCreateMemoriesRequest{
			Parent: parent, Requests: batch, RequestId: partID(whole, number), DeferEmbedding: chosen.DeferEmbedding,
		}
		response, err := unary(ctx, c.wire, c.memories.BatchCreateMemories, request)
		if err != nil {
			return stored, ofWhole(err, whole)
		}
		stored = append(stored, response.GetMemories()...)
		c.seen.saw(parent, response.GetRevision())
		number++
	}
	return stored, nil
}

func creations(drafts []Draft) ([]*quipuv1.CreateMemoryRequest, error) {
	requests := make([]*quipuv1.CreateMemoryRequest, 0, len(drafts))
	for i := range drafts {
		request, err := drafts[i].request()
		if err != nil {
			return nil, err
		}
		requests = append(requests, request)
	}
	return requests, nil
}

// partID gives the request id of one batch, the same whenever the whole is sent again.
func partID(whole uuid.UUID, number int) string {
	if number == 0 {
		return whole.String()
	}
	return uuid.NewSHA1(whole, []byte(strconv.Itoa(number))).String()
}

// ofWhole puts the request id of the whole in the place of that of a batch, since it is what to call AddMany with
// again.
func ofWhole(err error, whole uuid.UUID) error {
	if failed, isOurs := err.(*Error); isOurs {
		failed.RequestID = whole.String()
	}
	return err
}
