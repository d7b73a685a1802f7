package main

import "github.com/quipu-memory/quipu/clients/go"

func createSpace(i *invocation) (any, error) {
	space := i.with.text("space")
	options := &quipu.CreateSpaceOptions{
		Model:       i.with.text("model"),
		Language:    i.with.text("language"),
		DisplayName: i.with.text("display_name"),
		Ranking:     i.with.ranking(),
		RequestID:   i.with.text("request_id"),
	}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return plainOr(i.client.CreateSpace(i.ctx, space, options))
}

func getSpace(i *invocation) (any, error) {
	space := i.with.id("space")
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return plainOr(i.client.GetSpace(i.ctx, space))
}

func spaces(i *invocation) (any, error) {
	options := &quipu.SpacesOptions{PageSize: int32(i.with.number("page_size"))}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return listing(i.client.Spaces(i.ctx, options), i.take)
}

func updateSpace(i *invocation) (any, error) {
	space := i.with.id("space")
	options := &quipu.UpdateSpaceOptions{
		DisplayName: i.with.text("display_name"),
		Ranking:     i.with.ranking(),
		Clear:       i.with.cleared([]string{"display_name", "ranking"}),
		Etag:        i.with.text("etag"),
		RequestID:   i.with.text("request_id"),
	}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return plainOr(i.client.UpdateSpace(i.ctx, space, options))
}

func deleteSpace(i *invocation) (any, error) {
	space := i.with.id("space")
	options := &quipu.DeleteSpaceOptions{
		Force:     i.with.flag("force"),
		Etag:      i.with.text("etag"),
		RequestID: i.with.text("request_id"),
	}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	deleted, err := i.client.DeleteSpace(i.ctx, space, options)
	return deleted, err
}
