package main

import (
	"errors"
	"slices"

	"github.com/quipu-memory/quipu/clients/go"
)

func ingest(i *invocation) (any, error) {
	drafts := i.with.drafts("memories")
	options := &quipu.IngestOptions{
		Space: i.with.text("space"), StreamID: i.with.text("stream_id"), DeferEmbedding: i.with.flag("defer_embedding"),
	}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	outcomes, err := taken(i.client.Ingest(i.ctx, slices.Values(drafts), options), i.take)
	if err != nil {
		return nil, err
	}
	found := make([]any, 0, len(outcomes))
	for _, outcome := range outcomes {
		made, err := plainOutcome(outcome)
		if err != nil {
			return nil, err
		}
		found = append(found, made)
	}
	return found, nil
}

func plainOutcome(outcome *quipu.Outcome) (map[string]any, error) {
	var refused *quipu.Error
	if errors.As(outcome.Err, &refused) {
		return map[string]any{"offset": outcome.Offset, "error": plainFailure(refused)}, nil
	}
	written := map[string]any{
		"offset": outcome.Offset, "name": outcome.Name, "revision": outcome.Revision, "searchable": outcome.Searchable,
	}
	if len(outcome.Redactions) == 0 {
		return written, nil
	}
	redactions, err := plainList(outcome.Redactions)
	written["redactions"] = redactions
	return written, err
}
