package quipu

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
)

// Error says what went wrong with a call. errors.Is(err, ErrNotFound) tells the codes apart, Reason their cases:
//
//	var failed *quipu.Error
//	if errors.As(err, &failed) && failed.Reason == "ETAG_MISMATCH" { … }
type Error struct {
	// Code is the status of gRPC.
	Code codes.Code
	// Reason is the name of a value of quipuv1.ErrorReason without its prefix, such as `MEMORY_NOT_FOUND`; empty when
	// the error did not come from a Quipu server.
	Reason string
	// Message is for people.
	Message string
	// Metadata has facts for programs, as listed with the reason.
	Metadata map[string]string
	// Fields are those of the request that are wrong.
	Fields []FieldViolation
	// RetryAfter is the time after which the same request may succeed; 0 when that is not known.
	RetryAfter time.Duration
	// RequestID is the id of the write that failed: with it, the same write can be sent again without a second effect.
	// Empty for reads.
	RequestID string
	// CallID is what the log of the server has the call under; empty when no server answered.
	CallID string

	cause error
}

// FieldViolation is a field with a value that is not allowed.
type FieldViolation struct {
	// Field is its path in the request, such as `memory.importance`.
	Field string
	// Description says what is wrong, for people.
	Description string
}

// Error returns the reason, or else the code, and the message.
func (e *Error) Error() string {
	if e.Reason != "" {
		return fmt.Sprintf("quipu: %s: %s", e.Reason, e.Message)
	}
	return fmt.Sprintf("quipu: %v: %s", e.Code, e.Message)
}

// Retryable says whether the same request may succeed later: the server could not be reached or was overloaded, or
// other writers were in the way. The client has made several attempts already.
func (e *Error) Retryable() bool {
	return e.Code == codes.Unavailable || e.RetryAfter > 0 || e.Reason == "WRITE_CONFLICT"
}

// Unwrap returns the error of gRPC, which has the status with all details; nil when nothing was sent.
func (e *Error) Unwrap() error {
	return e.cause
}

// Is makes errors.Is work with ErrNotFound and the like, and with the errors of a context.
func (e *Error) Is(target error) bool {
	switch target {
	case context.Canceled:
		return e.Code == codes.Canceled
	case context.DeadlineExceeded:
		return e.Code == codes.DeadlineExceeded
	}
	code, isCode := target.(codeError)
	return isCode && codes.Code(code) == e.Code
}

// codeError is what errors with one code are compared with.
type codeError codes.Code

// Error returns the name of the code.
func (c codeError) Error() string {
	return "quipu: " + codes.Code(c).String()
}

// What errors of each code match, for errors.Is.
var (
	// ErrCanceled: the call was cancelled on its way or by the server.
	ErrCanceled error = codeError(codes.Canceled)
	// ErrUnknown: an error without a status.
	ErrUnknown error = codeError(codes.Unknown)
	// ErrInvalidArgument: a field has a value that is not allowed; see Error.Fields.
	ErrInvalidArgument error = codeError(codes.InvalidArgument)
	// ErrDeadlineExceeded: the time given for the call is over.
	ErrDeadlineExceeded error = codeError(codes.DeadlineExceeded)
	// ErrNotFound: there is no such memory, space or model.
	ErrNotFound error = codeError(codes.NotFound)
	// ErrAlreadyExists: there is such a memory or space already, or the request id was used for another request.
	ErrAlreadyExists error = codeError(codes.AlreadyExists)
	// ErrPermissionDenied: the credential does not allow this.
	ErrPermissionDenied error = codeError(codes.PermissionDenied)
	// ErrUnauthenticated: there is no credential, or a bad one.
	ErrUnauthenticated error = codeError(codes.Unauthenticated)
	// ErrResourceExhausted: a quota or limit is used up.
	ErrResourceExhausted error = codeError(codes.ResourceExhausted)
	// ErrFailedPrecondition: the state of a resource does not allow this.
	ErrFailedPrecondition error = codeError(codes.FailedPrecondition)
	// ErrAborted: somebody else wrote first: read again and decide again.
	ErrAborted error = codeError(codes.Aborted)
	// ErrOutOfRange: the revision does not exist yet, or is no longer kept.
	ErrOutOfRange error = codeError(codes.OutOfRange)
	// ErrUnimplemented: the server does not know this call.
	ErrUnimplemented error = codeError(codes.Unimplemented)
	// ErrInternal: a defect of the server; its log has the details under Error.CallID.
	ErrInternal error = codeError(codes.Internal)
	// ErrUnavailable: the server cannot be reached or cannot answer now, and did not after several attempts.
	ErrUnavailable error = codeError(codes.Unavailable)
	// ErrDataLoss: an answer was cut short.
	ErrDataLoss error = codeError(codes.DataLoss)
)
