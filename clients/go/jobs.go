package quipu

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/quipu-memory/quipu/clients/go/quipuv1"
	"google.golang.org/protobuf/types/known/structpb"
)

// RunJobOptions are for RunJob.
type RunJobOptions struct {
	// Space to work on; default: that of the client.
	Space string
	// Arguments are what the kind can be told, of types that JSON knows.
	Arguments map[string]any
}

// RunJob starts a job, or returns the one that waits to do the same. It fails with ErrInvalidArgument for a kind that
// callers may not start.
func (c *Client) RunJob(ctx context.Context, kind string, options *RunJobOptions) (*Job, error) {
	chosen := orDefault(options)
	arguments, err := structpb.NewStruct(chosen.Arguments)
	if err != nil {
		return nil, invalid("arguments", "%v", err)
	}
	request := &quipuv1.RunJobRequest{Kind: kind, Space: c.spaceName(chosen.Space), Arguments: arguments}
	response, err := unary(ctx, c.wire, c.jobs.RunJob, request)
	return response.GetJob(), err
}

// ModelOptions are for ChangeModel, RevertModel and DropOldVectors.
type ModelOptions struct {
	// Space to work on; default: that of the client.
	Space string
}

// ChangeModel starts the job that gives a space another embedding model; searches use the old one until it is done.
func (c *Client) ChangeModel(ctx context.Context, model string, options *ModelOptions) (*Job, error) {
	arguments := map[string]any{"model": model}
	return c.RunJob(ctx, "change-model", &RunJobOptions{Space: orDefault(options).Space, Arguments: arguments})
}

// RevertModel starts the job that gives a space the model it had before.
func (c *Client) RevertModel(ctx context.Context, options *ModelOptions) (*Job, error) {
	return c.RunJob(ctx, "revert-model", &RunJobOptions{Space: orDefault(options).Space})
}

// DropOldVectors starts the job that removes the vectors of models that a space has not; then there is no way back.
func (c *Client) DropOldVectors(ctx context.Context, options *ModelOptions) (*Job, error) {
	return c.RunJob(ctx, "drop-old-vectors", &RunJobOptions{Space: orDefault(options).Space})
}

// GetJob returns a job by its id or name. It fails with ErrNotFound.
func (c *Client) GetJob(ctx context.Context, job string) (*Job, error) {
	response, err := unary(ctx, c.wire, c.jobs.GetJob, &quipuv1.GetJobRequest{Name: prefixed("jobs/", job)})
	return response.GetJob(), err
}

// JobsOptions are for Jobs.
type JobsOptions struct {
	// States to list; default: all.
	States []JobState
	// Kind to list; default: all.
	Kind string
	// Space whose jobs are listed; default: all.
	Space string
	// PageSize is how many jobs are fetched at once, 1 to 1,000; default 100.
	PageSize int32
}

// Jobs lists jobs, newest first. Pages are fetched as in List.
func (c *Client) Jobs(ctx context.Context, options *JobsOptions) iter.Seq2[*Job, error] {
	chosen := orDefault(options)
	request := &quipuv1.ListJobsRequest{
		PageSize: pageSizeOrDefault(chosen.PageSize), States: chosen.States, Kind: chosen.Kind,
	}
	if chosen.Space != "" {
		request.Space = c.spaceName(chosen.Space)
	}
	return items((*quipuv1.ListJobsResponse).GetJobs, func(token string) (*quipuv1.ListJobsResponse, error) {
		request.PageToken = token
		return unary(ctx, c.wire, c.jobs.ListJobs, request)
	})
}

// CancelJob asks for the end of a job and returns it as it is then: one that runs ends a little later.
func (c *Client) CancelJob(ctx context.Context, job string) (*Job, error) {
	response, err := unary(ctx, c.wire, c.jobs.CancelJob, &quipuv1.CancelJobRequest{Name: prefixed("jobs/", job)})
	return response.GetJob(), err
}

// WatchJob gives a job as it is, and again after each change until it has ended. The client's timeout does not count.
func (c *Client) WatchJob(ctx context.Context, job string) iter.Seq2[*Job, error] {
	return func(yield func(*Job, error) bool) {
		ctx, cancel := context.WithCancel(c.wire.identified(ctx))
		defer cancel()
		stream, err := c.jobs.WatchJob(ctx, &quipuv1.WatchJobRequest{Name: prefixed("jobs/", job)})
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
			if !yield(response.GetJob(), nil) {
				return
			}
		}
	}
}
