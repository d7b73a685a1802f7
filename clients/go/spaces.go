package quipu

import (
	"context"
	"iter"

	"github.com/quipu-memory/quipu/clients/go/quipuv1"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// CreateSpaceOptions are for CreateSpace.
type CreateSpaceOptions struct {
	// Model is the embedding model of the space, for good; default: the default model of the server.
	Model string
	// Language of the words as an ISO 639-1 code, for good; `und` for none; default English.
	Language string
	// DisplayName is a name for people, at most 256 bytes.
	DisplayName string
	// Ranking has the weights of ranking in this space.
	Ranking *RankingWeights
	// RequestID is a UUID: with the same one the same request has one effect. Default: a new one.
	RequestID string
}

// CreateSpace creates a space, which is only needed for settings. It fails with ErrAlreadyExists.
func (c *Client) CreateSpace(ctx context.Context, space string, options *CreateSpaceOptions) (*Space, error) {
	chosen := orDefault(options)
	request := &quipuv1.CreateSpaceRequest{
		SpaceId: space,
		Space: &quipuv1.Space{
			Model:       modelName(chosen.Model),
			Language:    chosen.Language,
			DisplayName: chosen.DisplayName,
			Ranking:     chosen.Ranking,
		},
		RequestId: requestIDOrNew(chosen.RequestID),
	}
	response, err := unary(ctx, c.wire, c.spaces.CreateSpace, request)
	return response.GetSpace(), err
}

// GetSpace returns a space; "" means that of the client. It fails with ErrNotFound.
func (c *Client) GetSpace(ctx context.Context, space string) (*Space, error) {
	request := &quipuv1.GetSpaceRequest{Name: c.spaceName(space)}
	response, err := unary(ctx, c.wire, c.spaces.GetSpace, request)
	return response.GetSpace(), err
}

// SpacesOptions are for Spaces.
type SpacesOptions struct {
	// PageSize is how many spaces are fetched at once, 1 to 1,000; default 100.
	PageSize int32
}

// Spaces lists the spaces by id. Pages are fetched as in List.
func (c *Client) Spaces(ctx context.Context, options *SpacesOptions) iter.Seq2[*Space, error] {
	request := &quipuv1.ListSpacesRequest{PageSize: pageSizeOrDefault(orDefault(options).PageSize)}
	return items((*quipuv1.ListSpacesResponse).GetSpaces, func(token string) (*quipuv1.ListSpacesResponse, error) {
		request.PageToken = token
		return unary(ctx, c.wire, c.spaces.ListSpaces, request)
	})
}

// UpdateSpaceOptions are for UpdateSpace. What has its zero value is not changed; Clear brings defaults back.
type UpdateSpaceOptions struct {
	// DisplayName is the new name for people.
	DisplayName string
	// Ranking replaces the weights of ranking, all of them.
	Ranking *RankingWeights
	// Clear names the settings that get their defaults: `display_name`, `ranking`.
	Clear []string
	// Etag of the settings to change; without one, whichever are current.
	Etag string
	// RequestID is a UUID: with the same one the same request has one effect. Default: a new one.
	RequestID string
}

// UpdateSpace changes the settings that are given; "" means the space of the client. It fails with ErrNotFound, and
// with ErrAborted when the etag is old.
func (c *Client) UpdateSpace(ctx context.Context, space string, options *UpdateSpaceOptions) (*Space, error) {
	chosen := orDefault(options)
	paths := chosen.Clear
	if chosen.DisplayName != "" {
		paths = append([]string{"display_name"}, paths...)
	}
	if chosen.Ranking != nil {
		paths = append([]string{"ranking"}, paths...)
	}
	request := &quipuv1.UpdateSpaceRequest{
		Space: &quipuv1.Space{
			Name:        c.spaceName(space),
			DisplayName: chosen.DisplayName,
			Ranking:     chosen.Ranking,
			Etag:        chosen.Etag,
		},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: paths},
		RequestId:  requestIDOrNew(chosen.RequestID),
	}
	response, err := unary(ctx, c.wire, c.spaces.UpdateSpace, request)
	return response.GetSpace(), err
}

// DeleteSpaceOptions are for DeleteSpace.
type DeleteSpaceOptions struct {
	// Force deletes a space that has memories; without it that fails with ErrFailedPrecondition.
	Force bool
	// Etag of the settings; without one, whichever are current.
	Etag string
	// RequestID is a UUID: with the same one the same request has one effect. Default: a new one.
	RequestID string
}

// DeleteSpace destroys a space for good and returns how many memories went with it. The space must be named.
func (c *Client) DeleteSpace(ctx context.Context, space string, options *DeleteSpaceOptions) (int64, error) {
	if space == "" {
		return 0, invalid("space", "is empty: name the space to destroy")
	}
	chosen := orDefault(options)
	request := &quipuv1.DeleteSpaceRequest{
		Name:      c.spaceName(space),
		Etag:      chosen.Etag,
		Force:     chosen.Force,
		RequestId: requestIDOrNew(chosen.RequestID),
	}
	response, err := unary(ctx, c.wire, c.spaces.DeleteSpace, request)
	if err != nil {
		return 0, err
	}
	c.seen.forget(request.GetName())
	return response.GetDeletedMemoryCount(), nil
}
