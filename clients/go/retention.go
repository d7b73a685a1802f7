package quipu

import (
	"context"

	"github.com/quipu-memory/quipu/clients/go/quipuv1"
)

// ArchiveOptions are for Archive.
type ArchiveOptions struct {
	// Etag fails the call with ErrAborted when the memory has another one.
	Etag string
	// Space of a memory that is given as an id; default: that of the client.
	Space string
	// RequestID is a UUID: with the same one the same request has one effect. Default: a new one.
	RequestID string
}

// Archive takes a memory out of use: no search finds it, and nothing changes it, but it can be read and brought back. It
// fails with ErrNotFound, with ErrAborted when the etag is old, and with ErrFailedPrecondition when it is archived.
func (c *Client) Archive(ctx context.Context, memory string, options *ArchiveOptions) (*Memory, error) {
	chosen := orDefault(options)
	request := &quipuv1.ArchiveMemoryRequest{
		Name:      c.memoryName(memory, chosen.Space),
		Etag:      chosen.Etag,
		RequestId: requestIDOrNew(chosen.RequestID),
	}
	response, err := unary(ctx, c.wire, c.retention.ArchiveMemory, request)
	if err != nil {
		return nil, err
	}
	return c.seen.sawMemory(response.GetMemory()), nil
}

// UnarchiveOptions are for Unarchive.
type UnarchiveOptions struct {
	// Space of a memory that is given as an id; default: that of the client.
	Space string
	// RequestID is a UUID: with the same one the same request has one effect. Default: a new one.
	RequestID string
}

// Unarchive brings an archived memory back. It fails with ErrNotFound, and with ErrFailedPrecondition when the memory is
// not archived.
func (c *Client) Unarchive(ctx context.Context, memory string, options *UnarchiveOptions) (*Memory, error) {
	chosen := orDefault(options)
	request := &quipuv1.UnarchiveMemoryRequest{
		Name:      c.memoryName(memory, chosen.Space),
		RequestId: requestIDOrNew(chosen.RequestID),
	}
	response, err := unary(ctx, c.wire, c.retention.UnarchiveMemory, request)
	if err != nil {
		return nil, err
	}
	return c.seen.sawMemory(response.GetMemory()), nil
}

// EraseOptions are for Erase.
type EraseOptions struct {
	// Memories to erase, by id or name.
	Memories []string
	// Filter is a condition that they must meet. With no Memories: all that meet it are erased.
	Filter string
	// FilterTree is the condition as a tree; with it, Filter has no effect.
	FilterTree *Filter
	// Sessions empties title, summary and metadata of the sessions that the memories were messages of.
	Sessions bool
	// DryRun erases nothing, and counts what would be erased.
	DryRun bool
	// Space of the memories; default: that of the client.
	Space string
}

// Erase destroys memories for good, with their history, vectors and copies. Memories or a filter must be given. The
// receipt counts what went, and what was found of it afterwards.
func (c *Client) Erase(ctx context.Context, options *EraseOptions) (*ErasureReceipt, error) {
	chosen := orDefault(options)
	request := &quipuv1.EraseMemoriesRequest{
		Parent:        c.spaceName(chosen.Space),
		EraseSessions: chosen.Sessions,
		DryRun:        chosen.DryRun,
	}
	for _, memory := range chosen.Memories {
		request.Names = append(request.Names, c.memoryName(memory, chosen.Space))
	}
	if chosen.FilterTree != nil {
		request.Filtering = &quipuv1.EraseMemoriesRequest_FilterTree{FilterTree: chosen.FilterTree}
	} else if chosen.Filter != "" {
		request.Filtering = &quipuv1.EraseMemoriesRequest_Filter{Filter: chosen.Filter}
	}
	response, err := unary(ctx, c.wire, c.retention.EraseMemories, request)
	if err != nil {
		return nil, err
	}
	c.seen.saw(request.GetParent(), response.GetReceipt().GetRevision())
	return response.GetReceipt(), nil
}
