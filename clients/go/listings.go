package quipu

import (
	"context"
	"iter"

	"github.com/quipu-memory/quipu/clients/go/quipuv1"
)

// The items of one page, unless the caller says another number.
const defaultPageSize = 100

// ListOptions are for List.
type ListOptions struct {
	// Space to list; default: that of the client.
	Space string
	// Filter is a condition such as `kind = "semantic" AND metadata.score > -5`.
	Filter string
	// FilterTree is the condition as a tree; with it, Filter has no effect.
	FilterTree *Filter
	// OrderBy is `create_time` (default), `update_time` or `event_time`.
	OrderBy string
	// Descending lists the latest first.
	Descending bool
	// ShowDeleted lists deleted memories too.
	ShowDeleted bool
	// ShowArchived lists archived memories too.
	ShowArchived bool
	// Revision of the space: the memories as they were then, less those that have expired since. 0, the default, stands
	// for now.
	Revision int64
	// PageSize is how many memories are fetched at once, 1 to 1,000; default 100.
	PageSize int32
}

// List lists the memories of a space as it is when the first page is fetched. Pages are fetched as they are needed;
// each range over the listing begins anew. A context without a deadline gets that of the client for each page.
func (c *Client) List(ctx context.Context, options *ListOptions) iter.Seq2[*Memory, error] {
	chosen := orDefault(options)
	request := &quipuv1.ListMemoriesRequest{
		Parent:       c.spaceName(chosen.Space),
		PageSize:     pageSizeOrDefault(chosen.PageSize),
		OrderBy:      order(chosen.OrderBy, chosen.Descending),
		ShowDeleted:  chosen.ShowDeleted,
		ShowArchived: chosen.ShowArchived,
		Revision:     chosen.Revision,
	}
	if chosen.FilterTree != nil {
		request.Filtering = &quipuv1.ListMemoriesRequest_FilterTree{FilterTree: chosen.FilterTree}
	} else if chosen.Filter != "" {
		request.Filtering = &quipuv1.ListMemoriesRequest_Filter{Filter: chosen.Filter}
	}
	return items((*quipuv1.ListMemoriesResponse).GetMemories, func(token string) (*quipuv1.ListMemoriesResponse, error) {
		request.PageToken = token
		return unary(ctx, c.wire, c.memories.ListMemories, request)
	})
}

// HistoryOptions are for History.
type HistoryOptions struct {
	// Space of a memory that is given as an id; default: that of the client.
	Space string
}

// History lists what was done to a memory, newest first; it may be deleted. Pages are fetched as in List.
func (c *Client) History(
	ctx context.Context, memory string, options *HistoryOptions,
) iter.Seq2[*MemoryRevision, error] {
	request := &quipuv1.ListMemoryRevisionsRequest{Name: c.memoryName(memory, orDefault(options).Space)}
	revisions := (*quipuv1.ListMemoryRevisionsResponse).GetRevisions
	return items(revisions, func(token string) (*quipuv1.ListMemoryRevisionsResponse, error) {
		request.PageToken = token
		return unary(ctx, c.wire, c.memories.ListMemoryRevisions, request)
	})
}

// Collect reads a listing, or the hits of a search, to the end. With an error come the items before it.
func Collect[T any](sequence iter.Seq2[T, error]) ([]T, error) {
	var collected []T
	for item, err := range sequence {
		if err != nil {
			return collected, err
		}
		collected = append(collected, item)
	}
	return collected, nil
}

// items goes through all pages; fetch gets one by its token, the first one by "".
func items[P interface{ GetNextPageToken() string }, T any](
	of func(P) []T, fetch func(token string) (P, error),
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for token, isFirst := "", true; isFirst || token != ""; isFirst = false {
			page, err := fetch(token)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range of(page) {
				if !yield(item, nil) {
					return
				}
			}
			token = page.GetNextPageToken()
		}
	}
}

func order(by string, descending bool) string {
	if by == "" {
		by = "create_time"
	}
	if descending {
		by += " desc"
	}
	return by
}

func pageSizeOrDefault(size int32) int32 {
	if size == 0 {
		return defaultPageSize
	}
	return size
}
