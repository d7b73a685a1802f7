package quipu

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/quipu-memory/quipu/clients/go/quipuv1"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// AllSpaces stands for the space of what concerns all spaces of a tenant.
const AllSpaces = "-"

// PolicySettings are what a policy of retention says, as described at RetentionPolicy. What has its zero value is not
// set; there must be a condition.
type PolicySettings struct {
	// Action is what is done: RetentionArchive or RetentionDelete.
	Action RetentionAction
	// Priority is the place of the policy: smaller numbers are tried first.
	Priority int32
	// Disabled keeps a policy that does nothing.
	Disabled bool
	// OlderThan is the least age.
	OlderThan time.Duration
	// ByEventTime lets the age begin with the event time, where there is one.
	ByEventTime bool
	// ImportanceAtMost is the greatest importance.
	ImportanceAtMost *float64
	// SessionIdleFor is how long the session of a message must have been over.
	SessionIdleFor time.Duration
	// Kinds are those of the memories.
	Kinds []quipuv1.MemoryKind
	// Tags, of which the memories have one.
	Tags []string
	// Filter is what they meet.
	Filter string
	// ArchivedFor is how long they must have been archived; with RetentionDelete only.
	ArchivedFor time.Duration
	// KeepAtMost so many are kept of those that meet the other conditions.
	KeepAtMost int64
}

// CreatePolicyOptions are for CreateRetentionPolicy.
type CreatePolicyOptions struct {
	// Space of the policy, or AllSpaces; default: that of the client.
	Space string
	// RequestID is a UUID: with the same one the same request has one effect. Default: a new one.
	RequestID string
}

// CreateRetentionPolicy creates a policy with this id. It fails with ErrAlreadyExists, and with ErrNotFound when there is
// no such space.
func (c *Client) CreateRetentionPolicy(
	ctx context.Context, policy string, settings PolicySettings, options *CreatePolicyOptions,
) (*RetentionPolicy, error) {
	chosen := orDefault(options)
	made, _ := settings.message()
	request := &quipuv1.CreateRetentionPolicyRequest{
		Parent:            c.spaceName(chosen.Space),
		RetentionPolicyId: policy,
		RetentionPolicy:   made,
		RequestId:         requestIDOrNew(chosen.RequestID),
	}
	response, err := unary(ctx, c.wire, c.retention.CreateRetentionPolicy, request)
	return response.GetRetentionPolicy(), err
}

// PolicyOptions are for GetRetentionPolicy.
type PolicyOptions struct {
	// Space of a policy that is given as an id, or AllSpaces; default: that of the client.
	Space string
}

// GetRetentionPolicy returns a policy by its id or name. It fails with ErrNotFound.
func (c *Client) GetRetentionPolicy(ctx context.Context, policy string, options *PolicyOptions) (*RetentionPolicy, error) {
	request := &quipuv1.GetRetentionPolicyRequest{Name: c.policyName(policy, orDefault(options).Space)}
	response, err := unary(ctx, c.wire, c.retention.GetRetentionPolicy, request)
	return response.GetRetentionPolicy(), err
}

// PoliciesOptions are for RetentionPolicies.
type PoliciesOptions struct {
	// Space that the policies apply to, or AllSpaces; default: that of the client.
	Space string
	// PageSize is how many policies are fetched at once, 1 to 1,000; default 100.
	PageSize int32
}

// RetentionPolicies lists the policies that apply to a space, in the order in which they are tried.
func (c *Client) RetentionPolicies(ctx context.Context, options *PoliciesOptions) iter.Seq2[*RetentionPolicy, error] {
	chosen := orDefault(options)
	request := &quipuv1.ListRetentionPoliciesRequest{
		Parent: c.spaceName(chosen.Space), PageSize: pageSizeOrDefault(chosen.PageSize),
	}
	type page = quipuv1.ListRetentionPoliciesResponse
	return items((*page).GetRetentionPolicies, func(token string) (*page, error) {
		request.PageToken = token
		return unary(ctx, c.wire, c.retention.ListRetentionPolicies, request)
	})
}

// UpdatePolicyOptions are for UpdateRetentionPolicy. What has its zero value is not changed; Clear empties fields.
type UpdatePolicyOptions struct {
	PolicySettings
	// Clear names the fields to empty, as the protos do: `tags`, `disabled`.
	Clear []string
	// Etag of the version to change; without one, whichever is current.
	Etag string
	// Space of a policy that is given as an id, or AllSpaces; default: that of the client.
	Space string
	// RequestID is a UUID: with the same one the same request has one effect. Default: a new one.
	RequestID string
}

// UpdateRetentionPolicy changes the settings that are given. It fails with ErrNotFound, and with ErrAborted when the etag
// is old.
func (c *Client) UpdateRetentionPolicy(
	ctx context.Context, policy string, options *UpdatePolicyOptions,
) (*RetentionPolicy, error) {
	chosen := orDefault(options)
	changed, paths := chosen.message()
	changed.Name, changed.Etag = c.policyName(policy, chosen.Space), chosen.Etag
	request := &quipuv1.UpdateRetentionPolicyRequest{
		RetentionPolicy: changed,
		UpdateMask:      &fieldmaskpb.FieldMask{Paths: append(paths, chosen.Clear...)},
		RequestId:       requestIDOrNew(chosen.RequestID),
	}
	response, err := unary(ctx, c.wire, c.retention.UpdateRetentionPolicy, request)
	return response.GetRetentionPolicy(), err
}

// DeletePolicyOptions are for DeleteRetentionPolicy.
type DeletePolicyOptions struct {
	// Etag of the version to delete; without one, whichever is current.
	Etag string
	// Space of a policy that is given as an id, or AllSpaces; default: that of the client.
	Space string
	// RequestID is a UUID: with the same one the same request has one effect. Default: a new one.
	RequestID string
}

// DeleteRetentionPolicy deletes a policy; what it did stays done. It fails with ErrNotFound, and with ErrAborted when the
// etag is old.
func (c *Client) DeleteRetentionPolicy(ctx context.Context, policy string, options *DeletePolicyOptions) error {
	chosen := orDefault(options)
	request := &quipuv1.DeleteRetentionPolicyRequest{
		Name:      c.policyName(policy, chosen.Space),
		Etag:      chosen.Etag,
		RequestId: requestIDOrNew(chosen.RequestID),
	}
	_, err := unary(ctx, c.wire, c.retention.DeleteRetentionPolicy, request)
	return err
}

// RunRetentionOptions are for RunRetention.
type RunRetentionOptions struct {
	// Space to apply the policies to, or AllSpaces; default: that of the client.
	Space string
	// DryRun changes nothing; the summary names the first 500 memories that would change.
	DryRun bool
}

// RunRetention applies the policies now; it tells how far it has come, and at the end what came of it. It is a job, which
// goes on when the reader stops; another one of the tenant waits for its end. It fails with ErrAborted when the job failed
// or was cancelled. The client's timeout does not count.
func (c *Client) RunRetention(ctx context.Context, options *RunRetentionOptions) iter.Seq2[*RetentionRun, error] {
	chosen := orDefault(options)
	request := &quipuv1.RunRetentionRequest{Parent: c.spaceName(chosen.Space), DryRun: chosen.DryRun}
	return func(yield func(*RetentionRun, error) bool) {
		ctx, cancel := context.WithCancel(c.wire.identified(ctx))
		defer cancel()
		stream, err := c.retention.RunRetention(ctx, request)
		if err != nil {
			yield(nil, c.wire.failure(err, nil, nil))
			return
		}
		for {
			response, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(nil, c.wire.failure(err, nil, stream.Trailer()))
				return
			}
			if !yield(response, nil) {
				return
			}
		}
	}
}

func (c *Client) policyName(policy, space string) string {
	if strings.HasPrefix(policy, "spaces/") {
		return policy
	}
	return c.spaceName(space) + "/retentionPolicies/" + policy
}

// message gives the settings, and the paths of those that are set.
func (s PolicySettings) message() (*RetentionPolicy, []string) {
	made := &RetentionPolicy{
		Action:           s.Action,
		Priority:         s.Priority,
		Disabled:         s.Disabled,
		OlderThan:        duration(s.OlderThan),
		ByEventTime:      s.ByEventTime,
		ImportanceAtMost: s.ImportanceAtMost,
		SessionIdleFor:   duration(s.SessionIdleFor),
		Kinds:            s.Kinds,
		Tags:             s.Tags,
		Filter:           s.Filter,
		ArchivedFor:      duration(s.ArchivedFor),
	}
	if s.KeepAtMost != 0 {
		made.KeepAtMost = &s.KeepAtMost
	}
	var paths []string
	made.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		paths = append(paths, string(field.Name()))
		return true
	})
	return made, paths
}

func duration(length time.Duration) *durationpb.Duration {
	if length == 0 {
		return nil
	}
	return durationpb.New(length)
}
