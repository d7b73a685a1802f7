package main

import "github.com/quipu-memory/quipu/clients/go"

func archive(i *invocation) (any, error) {
	memory := i.with.id("memory")
	options := &quipu.ArchiveOptions{
		Etag: i.with.text("etag"), Space: i.with.text("space"), RequestID: i.with.text("request_id"),
	}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return plainOr(i.client.Archive(i.ctx, memory, options))
}

func unarchive(i *invocation) (any, error) {
	memory := i.with.id("memory")
	options := &quipu.UnarchiveOptions{Space: i.with.text("space"), RequestID: i.with.text("request_id")}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return plainOr(i.client.Unarchive(i.ctx, memory, options))
}

func erase(i *invocation) (any, error) {
	options := &quipu.EraseOptions{
		Memories: i.with.texts("memories"),
		Sessions: i.with.flag("sessions"),
		DryRun:   i.with.flag("dry_run"),
		Space:    i.with.text("space"),
	}
	options.Filter, options.FilterTree = i.with.filter()
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return plainOr(i.client.Erase(i.ctx, options))
}
