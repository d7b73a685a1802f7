package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/quipu-memory/quipu/clients/go"
	"google.golang.org/genproto/googleapis/rpc/code"
)

// compareFailure says how the end of a step differs from the error it must have.
func (p *player) compareFailure(step step, result any, failure error) error {
	if failure == nil {
		return fmt.Errorf("expected the error %v, found the result %s", step.Error, shown(result))
	}
	var failed *quipu.Error
	if step.Error == nil || !errors.As(failure, &failed) {
		return failure
	}
	expected, err := substitute(step.Error, p.variables)
	if err != nil {
		return err
	}
	given := expected.(map[string]any)
	if fields, isList := given["fields"].([]any); isList {
		given["fields"] = sorted(fields)
	}
	return match("error", given, plainFailure(failed))
}

// plainFailure is an error as scenarios write it.
func plainFailure(failed *quipu.Error) map[string]any {
	fields := make([]any, 0, len(failed.Fields))
	for _, violation := range failed.Fields {
		fields = append(fields, violation.Field)
	}
	metadata := make(map[string]any, len(failed.Metadata))
	for key, value := range failed.Metadata {
		metadata[key] = value
	}
	return map[string]any{
		"code":      code.Code(failed.Code).String(),
		"reason":    failed.Reason,
		"fields":    sorted(fields),
		"metadata":  metadata,
		"retryable": failed.Retryable(),
		"message":   failed.Message,
	}
}

func sorted(items []any) []any {
	return slices.SortedFunc(slices.Values(items), func(a, b any) int {
		return slices.Compare([]byte(fmt.Sprint(a)), []byte(fmt.Sprint(b)))
	})
}
