package quipu

import (
	"context"
	"maps"
	"slices"

	"github.com/quipu-memory/quipu/clients/go/quipuv1"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// UpdateOptions are for Update. What has its zero value is not changed; Clear empties fields.
type UpdateOptions struct {
	// Content is the new content.
	Content string
	Fields
	// Clear names the fields to empty, as the protos do: `speaker`, `event_time`, `metadata.city`.
	Clear []string
	// MergeMetadata changes only the given keys of the metadata; nil removes a key. Without it Metadata replaces all.
	MergeMetadata bool
	// Etag of the version to change; without one, whichever is current.
	Etag string
	// AllowMissing creates the memory when there is none.
	AllowMissing bool
	// Space of a memory that is given as an id; default: that of the client.
	Space string
	// RequestID is a UUID: with the same one the same request has one effect. Default: a new one.
	RequestID string
}

// Update changes the fields that are given and returns the memory as stored. It fails with ErrNotFound, and with
// ErrAborted when the etag is old.
func (c *Client) Update(ctx context.Context, memory string, options *UpdateOptions) (*Memory, error) {
	chosen := orDefault(options)
	target, paths, err := chosen.changes()
	if err != nil {
		return nil, err
	}
	target.Name, target.Etag = c.memoryName(memory, chosen.Space), chosen.Etag
	request := &quipuv1.UpdateMemoryRequest{
		Memory:       target,
		UpdateMask:   &fieldmaskpb.FieldMask{Paths: paths},
		AllowMissing: chosen.AllowMissing,
		RequestId:    requestIDOrNew(chosen.RequestID),
	}
	response, err := unary(ctx, c.wire, c.memories.UpdateMemory, request)
	if err != nil {
		return nil, err
	}
	return c.seen.sawMemory(response.GetMemory()), nil
}

// changes gives the new values and the paths of the fields they are for.
func (o *UpdateOptions) changes() (*quipuv1.Memory, []string, error) {
	target := &quipuv1.Memory{Content: o.Content}
	paths, err := o.fill(target)
	if err != nil {
		return nil, nil, err
	}
	if o.Content != "" {
		paths = append(paths, "content")
	}
	if o.MergeMetadata {
		paths = slices.DeleteFunc(paths, func(path string) bool { return path == "metadata" })
		for _, key := range slices.Sorted(maps.Keys(o.Metadata)) {
			paths = append(paths, "metadata."+key)
		}
	}
	return target, append(paths, o.Clear...), nil
}
