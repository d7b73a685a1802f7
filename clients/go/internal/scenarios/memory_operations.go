package main

import (
	"github.com/quipu-memory/quipu/clients/go"
	"github.com/quipu-memory/quipu/clients/go/quipuv1"
)

func add(i *invocation) (any, error) {
	content := i.with.text("content")
	options := &quipu.AddOptions{
		ID:        i.with.text("id"),
		Space:     i.with.text("space"),
		RequestID: i.with.text("request_id"),
		Fields:    i.with.fields(),
	}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return plainOr(i.client.Add(i.ctx, content, options))
}

func addMany(i *invocation) (any, error) {
	drafts := i.with.drafts("memories")
	options := &quipu.AddManyOptions{Space: i.with.text("space"), RequestID: i.with.text("request_id")}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	stored, err := i.client.AddMany(i.ctx, drafts, options)
	if err != nil {
		return nil, err
	}
	return plainList(stored)
}

func get(i *invocation) (any, error) {
	memory := i.with.id("memory")
	options := &quipu.GetOptions{Space: i.with.text("space"), Revision: int64(i.with.number("revision"))}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return plainOr(i.client.Get(i.ctx, memory, options))
}

func getMany(i *invocation) (any, error) {
	memories, options := i.with.texts("memories"), &quipu.GetManyOptions{Space: i.with.text("space")}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	found, err := i.client.GetMany(i.ctx, memories, options)
	if err != nil {
		return nil, err
	}
	made := map[string]any{}
	for id, memory := range found {
		if made[id], err = plain(memory); err != nil {
			return nil, err
		}
	}
	return made, nil
}

func list(i *invocation) (any, error) {
	options := &quipu.ListOptions{
		Space:        i.with.text("space"),
		OrderBy:      i.with.text("order_by"),
		Descending:   i.with.flag("descending"),
		ShowDeleted:  i.with.flag("show_deleted"),
		ShowArchived: i.with.flag("show_archived"),
		Revision:     int64(i.with.number("revision")),
		PageSize:     int32(i.with.number("page_size")),
	}
	options.Filter, options.FilterTree = i.with.filter()
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return listing(i.client.List(i.ctx, options), i.take)
}

func update(i *invocation) (any, error) {
	memory := i.with.id("memory")
	options := &quipu.UpdateOptions{
		Content:       i.with.text("content"),
		Fields:        i.with.fields(),
		Clear:         i.with.cleared(append([]string{"content"}, fieldNames...)),
		MergeMetadata: i.with.flag("merge_metadata"),
		Etag:          i.with.text("etag"),
		AllowMissing:  i.with.flag("allow_missing"),
		Space:         i.with.text("space"),
		RequestID:     i.with.text("request_id"),
	}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return plainOr(i.client.Update(i.ctx, memory, options))
}

func remove(i *invocation) (any, error) {
	memory := i.with.id("memory")
	options := &quipu.DeleteOptions{
		Etag:         i.with.text("etag"),
		AllowMissing: i.with.flag("allow_missing"),
		Space:        i.with.text("space"),
		RequestID:    i.with.text("request_id"),
	}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	revision, err := i.client.Delete(i.ctx, memory, options)
	return revision, err
}

func undelete(i *invocation) (any, error) {
	memory := i.with.id("memory")
	options := &quipu.UndeleteOptions{Space: i.with.text("space"), RequestID: i.with.text("request_id")}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return plainOr(i.client.Undelete(i.ctx, memory, options))
}

func feedback(i *invocation) (any, error) {
	memory := i.with.id("memory")
	verdict := quipuv1.Verdict(i.with.enum("verdict", "VERDICT_", quipuv1.Verdict_value))
	options := &quipu.FeedbackOptions{Space: i.with.text("space"), RequestID: i.with.text("request_id")}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return plainOr(i.client.Feedback(i.ctx, memory, verdict, options))
}

func history(i *invocation) (any, error) {
	memory, options := i.with.id("memory"), &quipu.HistoryOptions{Space: i.with.text("space")}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return listing(i.client.History(i.ctx, memory, options), i.take)
}
