package quipu

import (
	"context"
	"iter"

	"github.com/quipu-memory/quipu/clients/go/quipuv1"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// AppendOptions are for Append.
type AppendOptions struct {
	// Space of a session that is given as an id; default: that of the client. It is made if there is none.
	Space string
	// RequestID is a UUID: with the same one the same request has one effect. Default: a new one.
	RequestID string
}

// Append appends up to 500 messages to a session, all or none, in their order, and returns them as stored. It fails with
// ErrFailedPrecondition when the session was ended.
func (c *Client) Append(
	ctx context.Context, session string, messages []Draft, options *AppendOptions,
) ([]*Memory, error) {
	chosen := orDefault(options)
	request := &quipuv1.AppendMessagesRequest{
		Parent:    c.sessionName(session, chosen.Space),
		RequestId: requestIDOrNew(chosen.RequestID),
	}
	for i := range messages {
		created, err := messages[i].request()
		if err != nil {
			return nil, err
		}
		message := &quipuv1.NewMessage{MemoryId: created.GetMemoryId(), Memory: created.GetMemory()}
		request.Messages = append(request.Messages, message)
	}
	response, err := unary(ctx, c.wire, c.sessions.AppendMessages, request)
	if err != nil {
		return nil, err
	}
	c.seen.saw(spaceOf(request.GetParent()), response.GetRevision())
	return response.GetMessages(), nil
}

// SessionOptions are for GetSession and EndSession.
type SessionOptions struct {
	// Space of a session that is given as an id; default: that of the client.
	Space string
}

// GetSession returns a session with its statistics. It fails with ErrNotFound.
func (c *Client) GetSession(ctx context.Context, session string, options *SessionOptions) (*SessionInfo, error) {
	request := &quipuv1.GetSessionRequest{Name: c.sessionName(session, orDefault(options).Space)}
	response, err := unary(ctx, c.wire, c.sessions.GetSession, request)
	return response.GetSession(), err
}

// SessionsOptions are for Sessions.
type SessionsOptions struct {
	// Space to list; default: that of the client.
	Space string
	// OrderBy is `id` (default), or `activity`: the session that got a message last comes first.
	OrderBy string
	// State is SessionOpen, SessionEnded, or both by default.
	State quipuv1.SessionState
	// PageSize is how many sessions are fetched at once, 1 to 1,000; default 100.
	PageSize int32
}

// Sessions lists the sessions of a space. Pages are fetched as in List.
func (c *Client) Sessions(ctx context.Context, options *SessionsOptions) iter.Seq2[*SessionInfo, error] {
	chosen := orDefault(options)
	request := &quipuv1.ListSessionsRequest{
		Parent:   c.spaceName(chosen.Space),
		OrderBy:  chosen.OrderBy,
		State:    chosen.State,
		PageSize: pageSizeOrDefault(chosen.PageSize),
	}
	sessions := (*quipuv1.ListSessionsResponse).GetSessions
	return items(sessions, func(token string) (*quipuv1.ListSessionsResponse, error) {
		request.PageToken = token
		return unary(ctx, c.wire, c.sessions.ListSessions, request)
	})
}

// MessagesOptions are for Messages.
type MessagesOptions struct {
	// Space of a session that is given as an id; default: that of the client.
	Space string
	// NewestFirst lists from the newest message to the oldest.
	NewestFirst bool
	// PageSize is how many messages are fetched at once, 1 to 1,000; default 100.
	PageSize int32
}

// Messages lists the messages of a session as it is when the first page is fetched. Pages are fetched as in List.
func (c *Client) Messages(ctx context.Context, session string, options *MessagesOptions) iter.Seq2[*Memory, error] {
	chosen := orDefault(options)
	request := &quipuv1.ListMessagesRequest{
		Parent:      c.sessionName(session, chosen.Space),
		NewestFirst: chosen.NewestFirst,
		PageSize:    pageSizeOrDefault(chosen.PageSize),
	}
	messages := (*quipuv1.ListMessagesResponse).GetMessages
	return items(messages, func(token string) (*quipuv1.ListMessagesResponse, error) {
		request.PageToken = token
		return unary(ctx, c.wire, c.sessions.ListMessages, request)
	})
}

// WindowOptions are for Window. One of the budgets must be given.
type WindowOptions struct {
	// MaxMessages is the most messages, 1 to 1,000.
	MaxMessages int32
	// MaxTokens is the most tokens of all messages, as the model of the space counts them.
	MaxTokens int32
	// Space of a session that is given as an id; default: that of the client.
	Space string
}

// Window returns the newest messages of a session that fit a budget, oldest first; none is cut.
func (c *Client) Window(ctx context.Context, session string, options *WindowOptions) (*Window, error) {
	chosen := orDefault(options)
	request := &quipuv1.GetWindowRequest{
		Name:        c.sessionName(session, chosen.Space),
		MaxMessages: chosen.MaxMessages,
		MaxTokens:   chosen.MaxTokens,
	}
	return unary(ctx, c.wire, c.sessions.GetWindow, request)
}

// UpdateSessionOptions are for UpdateSession. What has its zero value is not changed; Clear clears.
type UpdateSessionOptions struct {
	// Title is a name for people, at most 256 bytes.
	Title string
	// Summary says what the session was about, at most 32,768 bytes.
	Summary string
	// Metadata replaces the metadata, all of it.
	Metadata map[string]any
	// Clear names what is cleared: `title`, `summary`, `metadata`.
	Clear []string
	// Etag of the version to change; without one, whichever is current.
	Etag string
	// Space of a session that is given as an id; default: that of the client.
	Space string
	// RequestID is a UUID: with the same one the same request has one effect. Default: a new one.
	RequestID string
}

// UpdateSession changes what a session has beside its messages. It fails with ErrNotFound, and with ErrAborted when the
// etag is old.
func (c *Client) UpdateSession(
	ctx context.Context, session string, options *UpdateSessionOptions,
) (*SessionInfo, error) {
	chosen := orDefault(options)
	metadata, err := toMetadata(chosen.Metadata)
	if err != nil {
		return nil, err
	}
	paths := append([]string{}, chosen.Clear...)
	for path, isGiven := range map[string]bool{
		"title": chosen.Title != "", "summary": chosen.Summary != "", "metadata": chosen.Metadata != nil,
	} {
		if isGiven {
			paths = append(paths, path)
		}
	}
	request := &quipuv1.UpdateSessionRequest{
		Session: &quipuv1.Session{
			Name:     c.sessionName(session, chosen.Space),
			Title:    chosen.Title,
			Summary:  chosen.Summary,
			Metadata: metadata,
			Etag:     chosen.Etag,
		},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: paths},
		RequestId:  requestIDOrNew(chosen.RequestID),
	}
	response, err := unary(ctx, c.wire, c.sessions.UpdateSession, request)
	return response.GetSession(), err
}

// EndSession ends a session: nothing can be appended any more. It fails with ErrNotFound.
func (c *Client) EndSession(ctx context.Context, session string, options *SessionOptions) (*SessionInfo, error) {
	request := &quipuv1.EndSessionRequest{Name: c.sessionName(session, orDefault(options).Space)}
	response, err := unary(ctx, c.wire, c.sessions.EndSession, request)
	return response.GetSession(), err
}

// DeleteSessionOptions are for DeleteSession.
type DeleteSessionOptions struct {
	// Space of a session that is given as an id; default: that of the client.
	Space string
	// RequestID is a UUID: with the same one the same request has one effect. Default: a new one.
	RequestID string
}

// DeleteSession deletes a session and its messages, and returns how many those were. It fails with ErrNotFound.
func (c *Client) DeleteSession(ctx context.Context, session string, options *DeleteSessionOptions) (int64, error) {
	chosen := orDefault(options)
	request := &quipuv1.DeleteSessionRequest{
		Name:      c.sessionName(session, chosen.Space),
		RequestId: requestIDOrNew(chosen.RequestID),
	}
	response, err := unary(ctx, c.wire, c.sessions.DeleteSession, request)
	if err != nil {
		return 0, err
	}
	c.seen.saw(spaceOf(request.GetName()), response.GetRevision())
	return response.GetDeletedMessageCount(), nil
}
