package main

import (
	"github.com/quipu-memory/quipu/clients/go"
	"github.com/quipu-memory/quipu/clients/go/quipuv1"
)

func appendMessages(i *invocation) (any, error) {
	session, messages := i.with.text("session"), i.with.drafts("messages")
	options := &quipu.AppendOptions{Space: i.with.text("space"), RequestID: i.with.text("request_id")}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	stored, err := i.client.Append(i.ctx, session, messages, options)
	if err != nil {
		return nil, err
	}
	return plainList(stored)
}

func getSession(i *invocation) (any, error) {
	session, options := i.with.text("session"), &quipu.SessionOptions{Space: i.with.text("space")}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return plainOr(i.client.GetSession(i.ctx, session, options))
}

func sessions(i *invocation) (any, error) {
	options := &quipu.SessionsOptions{
		Space:    i.with.text("space"),
		OrderBy:  i.with.text("order_by"),
		State:    quipuv1.SessionState(i.with.enum("state", "SESSION_STATE_", quipuv1.SessionState_value)),
		PageSize: int32(i.with.number("page_size")),
	}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return listing(i.client.Sessions(i.ctx, options), i.take)
}

func messages(i *invocation) (any, error) {
	session := i.with.text("session")
	options := &quipu.MessagesOptions{
		Space:       i.with.text("space"),
		NewestFirst: i.with.flag("newest_first"),
		PageSize:    int32(i.with.number("page_size")),
	}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return listing(i.client.Messages(i.ctx, session, options), i.take)
}

func window(i *invocation) (any, error) {
	session := i.with.text("session")
	options := &quipu.WindowOptions{
		MaxMessages: int32(i.with.number("max_messages")),
		MaxTokens:   int32(i.with.number("max_tokens")),
		Space:       i.with.text("space"),
	}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return plainOr(i.client.Window(i.ctx, session, options))
}

func updateSession(i *invocation) (any, error) {
	session := i.with.text("session")
	options := &quipu.UpdateSessionOptions{
		Title:     i.with.text("title"),
		Summary:   i.with.text("summary"),
		Metadata:  i.with.mapping("metadata"),
		Clear:     i.with.cleared([]string{"title", "summary", "metadata"}),
		Etag:      i.with.text("etag"),
		Space:     i.with.text("space"),
		RequestID: i.with.text("request_id"),
	}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return plainOr(i.client.UpdateSession(i.ctx, session, options))
}

func endSession(i *invocation) (any, error) {
	session, options := i.with.text("session"), &quipu.SessionOptions{Space: i.with.text("space")}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return plainOr(i.client.EndSession(i.ctx, session, options))
}

func deleteSession(i *invocation) (any, error) {
	session := i.with.text("session")
	options := &quipu.DeleteSessionOptions{Space: i.with.text("space"), RequestID: i.with.text("request_id")}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	deleted, err := i.client.DeleteSession(i.ctx, session, options)
	return deleted, err
}

func pack(i *invocation) (any, error) {
	text, budget := i.with.text("text"), int32(i.with.number("token_budget"))
	options := &quipu.PackOptions{
		Search:         *i.searchOptions(),
		Session:        i.with.text("session"),
		WindowMessages: int32(i.with.number("window_messages")),
		Model:          i.with.text("model"),
	}
	if _, isGiven := i.with.value("window_tokens"); isGiven {
		options.WindowTokens = quipu.Ptr(int32(i.with.number("window_tokens")))
	}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	return plainOr(i.client.Pack(i.ctx, text, budget, options))
}

// contexts are what was said around hits, as scenarios write it.
func contexts(found []*quipu.Context) ([]any, error) {
	made := make([]any, 0, len(found))
	for _, part := range found {
		said := make([]any, 0, len(part.Messages))
		for _, message := range part.Messages {
			memory, err := plain(message.Memory)
			if err != nil {
				return nil, err
			}
			written := map[string]any{"memory": memory}
			if message.Hit != nil {
				written["hit"] = true
			}
			said = append(said, written)
		}
		made = append(made, map[string]any{"session": part.Session, "messages": said})
	}
	return made, nil
}
