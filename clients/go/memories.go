package quipu

import (
	"context"

	"github.com/google/uuid"
	"github.com/quipu-memory/quipu/clients/go/quipuv1"
)

// The most names in one BatchGetMemories.
const mostNames = 1_000

// AddOptions are for Add.
type AddOptions struct {
	// ID of the new memory: 1 to 128 letters, digits, `.`, `_`, `~`, `-`. Without one the server makes one.
	ID string
	// Space to add to; default: that of the client. It is made if there is none.
	Space string
	// RequestID is a UUID: with the same one the same request has one effect. Default: a new one.
	RequestID string
	// DeferEmbedding does not wait for the model: it is found by words only until a job has embedded it.
	DeferEmbedding bool
	Fields
}

// Add stores a memory and returns it as stored. It fails with ErrAlreadyExists when a memory has the id.
func (c *Client) Add(ctx context.Context, content string, options *AddOptions) (*Memory, error) {
	chosen := orDefault(options)
	draft := Draft{ID: chosen.ID, Content: content, Fields: chosen.Fields}
	request, err := draft.request()
	if err != nil {
		return nil, err
	}
	request.Parent, request.RequestId = c.spaceName(chosen.Space), requestIDOrNew(chosen.RequestID)
	request.DeferEmbedding = chosen.DeferEmbedding
	response, err := unary(ctx, c.wire, c.memories.CreateMemory, request)
	if err != nil {
		return nil, err
	}
	return c.seen.sawMemory(response.GetMemory()), nil
}

// GetOptions are for Get.
type GetOptions struct {
	// Space of a memory that is given as an id; default: that of the client.
	Space string
	// Revision of the space: the memory as it was then. 0, the default, stands for now.
	Revision int64
}

// Get returns a memory. It fails with ErrNotFound, and with ErrOutOfRange for a revision that is not yet.
func (c *Client) Get(ctx context.Context, memory string, options *GetOptions) (*Memory, error) {
	chosen := orDefault(options)
	request := &quipuv1.GetMemoryRequest{Name: c.memoryName(memory, chosen.Space), Revision: chosen.Revision}
	response, err := unary(ctx, c.wire, c.memories.GetMemory, request)
	return response.GetMemory(), err
}

// GetManyOptions are for GetMany.
type GetManyOptions struct {
	// Space of the memories that are given as ids; default: that of the client.
	Space string
}

// GetMany returns those memories that exist, by the ids or names that were given.
func (c *Client) GetMany(ctx context.Context, memories []string, options *GetManyOptions) (map[string]*Memory, error) {
	space := orDefault(options).Space
	byName := map[string]*Memory{}
	for part := range parts(memories, mostNames) {
		request := &quipuv1.BatchGetMemoriesRequest{Parent: c.spaceName(space)}
		for _, memory := range part {
			request.Names = append(request.Names, c.memoryName(memory, space))
		}
		response, err := unary(ctx, c.wire, c.memories.BatchGetMemories, request)
		if err != nil {
			return nil, err
		}
		for _, memory := range response.GetMemories() {
			byName[memory.GetName()] = memory
		}
	}
	found := map[string]*Memory{}
	for _, given := range memories {
		if memory, isFound := byName[c.memoryName(given, space)]; isFound {
			found[given] = memory
		}
	}
	return found, nil
}

// DeleteOptions are for Delete.
type DeleteOptions struct {
	// Etag of the version to delete; without one, whichever is current.
	Etag string
	// AllowMissing makes Delete succeed when there is no such memory.
	AllowMissing bool
	// Space of a memory that is given as an id; default: that of the client.
	Space string
	// RequestID is a UUID: with the same one the same request has one effect. Default: a new one.
	RequestID string
}

// Delete deletes a memory and returns the revision. Its history stays. It fails with ErrNotFound, and with ErrAborted
// when the etag is old.
func (c *Client) Delete(ctx context.Context, memory string, options *DeleteOptions) (int64, error) {
	chosen := orDefault(options)
	request := &quipuv1.DeleteMemoryRequest{
		Name:         c.memoryName(memory, chosen.Space),
		Etag:         chosen.Etag,
		AllowMissing: chosen.AllowMissing,
		RequestId:    requestIDOrNew(chosen.RequestID),
	}
	response, err := unary(ctx, c.wire, c.memories.DeleteMemory, request)
	if err != nil {
		return 0, err
	}
	c.seen.saw(spaceOf(request.GetName()), response.GetRevision())
	return response.GetRevision(), nil
}

// UndeleteOptions are for Undelete.
type UndeleteOptions struct {
	// Space of a memory that is given as an id; default: that of the client.
	Space string
	// RequestID is a UUID: with the same one the same request has one effect. Default: a new one.
	RequestID string
}

// Undelete brings a deleted memory back. It fails with ErrNotFound, and with ErrFailedPrecondition when the memory is
// not deleted.
func (c *Client) Undelete(ctx context.Context, memory string, options *UndeleteOptions) (*Memory, error) {
	chosen := orDefault(options)
	request := &quipuv1.UndeleteMemoryRequest{
		Name:      c.memoryName(memory, chosen.Space),
		RequestId: requestIDOrNew(chosen.RequestID),
	}
	response, err := unary(ctx, c.wire, c.memories.UndeleteMemory, request)
	if err != nil {
		return nil, err
	}
	return c.seen.sawMemory(response.GetMemory()), nil
}

// FeedbackOptions are for Feedback.
type FeedbackOptions struct {
	// Space of a memory that is given as an id; default: that of the client.
	Space string
	// RequestID is a UUID: with the same one the same request has one effect. Default: a new one.
	RequestID string
}

// Feedback says whether a memory was of use: it moves in later searches. It gives the memory with the new counts, and
// fails with ErrNotFound.
func (c *Client) Feedback(ctx context.Context, memory string, verdict Verdict, options *FeedbackOptions) (*Memory, error) {
	chosen := orDefault(options)
	request := &quipuv1.RecordFeedbackRequest{
		Name:      c.memoryName(memory, chosen.Space),
		Verdict:   verdict,
		RequestId: requestIDOrNew(chosen.RequestID),
	}
	response, err := unary(ctx, c.wire, c.memories.RecordFeedback, request)
	if err != nil {
		return nil, err
	}
	return c.seen.sawMemory(response.GetMemory()), nil
}

// UsesOptions are for Uses.
type UsesOptions struct {
	// Space of memories that are given as ids; default: that of the client.
	Space string
}

// Uses tells how often memories of one space, 1 to 1,000, were found by searches, in their order; it is a minute old at
// most.
func (c *Client) Uses(ctx context.Context, memories []string, options *UsesOptions) ([]*MemoryUse, error) {
	chosen := orDefault(options)
	names := make([]string, 0, len(memories))
	for _, memory := range memories {
		names = append(names, c.memoryName(memory, chosen.Space))
	}
	parent := c.spaceName(chosen.Space)
	if len(names) > 0 {
		parent = spaceOf(names[0])
	}
	response, err := unary(ctx, c.wire, c.memories.GetMemoryUses, &quipuv1.GetMemoryUsesRequest{Parent: parent, Names: names})
	if err != nil {
		return nil, err
	}
	return response.GetUses(), nil
}

// requestIDOrNew gives the caller's request id, or a new one, so that a retry has no second effect.
func requestIDOrNew(requestID string) string {
	if requestID == "" {
		return uuid.NewString()
	}
	return requestID
}

// orDefault gives the options, or the defaults for nil.
func orDefault[T any](options *T) T {
	if options == nil {
		var defaults T
		return defaults
	}
	return *options
}
