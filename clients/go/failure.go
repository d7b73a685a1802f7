package quipu

import (
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// The trailing metadata with which the server names a call.
const callIDKey = "x-request-id"

// failure makes an *Error of what a stub returned.
func (w *wire) failure(err error, request any, trailer metadata.MD) *Error {
	answer := status.Convert(err)
	failed := &Error{Code: answer.Code(), Message: answer.Message(), cause: err}
	for _, detail := range answer.Details() {
		failed.read(detail)
	}
	if write, isWrite := request.(interface{ GetRequestId() string }); isWrite {
		failed.RequestID = write.GetRequestId()
	}
	if ids := trailer.Get(callIDKey); len(ids) > 0 {
		failed.CallID = ids[0]
	}
	if failed.Code == codes.Unavailable && failed.Reason == "" {
		failed.Message = fmt.Sprintf("the server at %s cannot be reached: %s", w.address, lastPart(failed.Message))
	}
	return failed
}

// read takes over one of the messages of google.rpc that came with an error.
func (e *Error) read(detail any) {
	switch detail := detail.(type) {
	case *errdetails.ErrorInfo:
		e.Reason, e.Metadata = detail.GetReason(), detail.GetMetadata()
	case *errdetails.BadRequest:
		for _, violation := range detail.GetFieldViolations() {
			e.Fields = append(e.Fields, FieldViolation{violation.GetField(), violation.GetDescription()})
		}
	case *errdetails.RetryInfo:
		e.RetryAfter = detail.GetRetryDelay().AsDuration()
	}
}

// lastPart is what went wrong: gRPC lists what it tried before it.
func lastPart(message string) string {
	return strings.Trim(message[strings.LastIndex(message, ": ")+1:], ` "`)
}

// invalid is the error for an argument that was refused before anything was sent.
func invalid(field, format string, arguments ...any) *Error {
	description := fmt.Sprintf(format, arguments...)
	return &Error{
		Code:    codes.InvalidArgument,
		Message: field + ": " + description,
		Fields:  []FieldViolation{{field, description}},
	}
}
