package quipu_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/quipu-memory/quipu/clients/go"
	"github.com/quipu-memory/quipu/clients/go/quipuv1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

type watchStream = grpc.ServerStreamingServer[quipuv1.WatchMemoriesResponse]

const home = "spaces/default"

func (f *fake) WatchMemories(request *quipuv1.WatchMemoriesRequest, stream watchStream) error {
	if err := f.note(stream.Context(), request); err != nil {
		return err
	}
	return f.watch(request, stream)
}

// told is a response with changes that have these numbers, of a space that has come to a revision.
func told(space string, revision int64, numbers ...int64) *quipuv1.WatchMemoriesResponse {
	response := &quipuv1.WatchMemoriesResponse{
		Space: space, Revision: revision, Nonce: 100 + revision, HeadRevision: revision,
	}
	for _, number := range numbers {
		made := &quipuv1.MemoryRevision{
			Revision: number, Change: quipu.ChangeUpdated, Memory: &quipu.Memory{Name: space + "/memories/m"},
		}
		change := &quipuv1.WatchedChange{Revision: made, Left: number%2 == 0, Nonce: 100 + number}
		response.Changes = append(response.Changes, change)
	}
	return response
}

// holding sends responses, and then none for as long as the call lasts.
func holding(responses ...*quipuv1.WatchMemoriesResponse) func(*quipuv1.WatchMemoriesRequest, watchStream) error {
	return func(_ *quipuv1.WatchMemoriesRequest, stream watchStream) error {
		for _, response := range responses {
			stream.Send(response)
		}
		<-stream.Context().Done()
		return stream.Context().Err()
	}
}

// leaving tells one change and goes away.
func leaving(request *quipuv1.WatchMemoriesRequest, stream watchStream) error {
	after := request.GetAfterRevisions()[home]
	stream.Send(told(home, after))
	stream.Send(told(home, after+1, after+1))
	return refusal(codes.Unavailable, "SHUTTING_DOWN", "stopping")
}

func take(t *testing.T, watching *quipu.Watching, count int) []*quipu.Change {
	t.Helper()
	var changes []*quipu.Change
	for change, err := range watching.Changes() {
		if err != nil {
			t.Fatal(err)
		}
		if changes = append(changes, change); len(changes) == count {
			break
		}
	}
	return changes
}

func TestChangesComeWithWhatTheyAre(t *testing.T) {
	server, client := serve(t)
	server.watch = holding(told(home, 2), told(home, 4, 3, 4))
	options := &quipu.WatchOptions{After: map[string]int64{"default": 2}, Filter: "x"}
	changes := take(t, client.Watch(context.Background(), options), 2)
	first := changes[0]
	if first.Space != home || first.Revision != 3 || first.Change != quipu.ChangeUpdated || first.Left ||
		first.Memory.GetName() != home+"/memories/m" || !changes[1].Left {
		t.Errorf("found %v", changes)
	}
	expected := &quipuv1.WatchMemoriesRequest{
		Spaces: []string{home}, AfterRevisions: map[string]int64{home: 2},
		Filtering: &quipuv1.WatchMemoriesRequest_Filter{Filter: "x"},
	}
	if sent := asked[*quipuv1.WatchMemoriesRequest](server)[0]; !proto.Equal(sent, expected) {
		t.Errorf("sent %v", sent)
	}
	if server.deadline {
		t.Error("there is a deadline")
	}
}

func TestThePositionIsThatOfWhatWasRead(t *testing.T) {
	server, client := serve(t)
	const other = "spaces/other"
	server.watch = holding(told(home, 9), told(other, 20, 3), told(home, 12, 10, 11), told(home, 15), told(home, 16, 16))
	watching := client.Watch(context.Background(), &quipu.WatchOptions{
		Spaces: []string{"default", "other"}, After: map[string]int64{"other": 2},
	})
	positions := []map[string]int64{watching.Position()}
	for _, err := range watching.Changes() {
		if err != nil {
			t.Fatal(err)
		}
		if positions = append(positions, watching.Position()); len(positions) == 5 {
			break
		}
	}
	for i, expected := range []map[string]int64{
		{other: 2}, {home: 9, other: 3}, {home: 10, other: 20}, {home: 11, other: 20}, {home: 16, other: 20},
	} {
		if !maps.Equal(positions[i], expected) {
			t.Errorf("position %d is %v, expected %v", i, positions[i], expected)
		}
	}
}

func TestAWatchGoesOnWhereItWas(t *testing.T) {
	t.Parallel() // it waits
	server, client := serve(t)
	server.watch = leaving
	watching := client.Watch(context.Background(), nil)
	var revisions []int64
	for _, change := range append(take(t, watching, 2), take(t, watching, 1)...) {
		revisions = append(revisions, change.Revision)
	}
	if !slices.Equal(revisions, []int64{1, 2, 3}) || watching.Position()[home] != 3 {
		t.Errorf("found %v, at %v", revisions, watching.Position())
	}
}

func TestAWatchGoesOnWithNonces(t *testing.T) {
	t.Parallel() // it waits
	server, client := serve(t)
	server.watch = leaving
	watching := client.Watch(context.Background(), nil)
	take(t, watching, 2)
	take(t, client.Watch(context.Background(), &quipu.WatchOptions{Token: watching.Token()}), 1)
	sent := asked[*quipuv1.WatchMemoriesRequest](server)
	for i, expected := range []map[string]int64{nil, {home: 101}, {home: 102}} {
		if !maps.Equal(sent[i].GetAfterNonces(), expected) {
			t.Errorf("call %d began with %v, expected %v", i, sent[i].GetAfterNonces(), expected)
		}
	}
	if reached := sent[2].GetAfterRevisions(); reached[home] != 2 {
		t.Errorf("the token stands for %v", reached)
	}
}

// The tests of the other clients have this token, too.
func TestTokensAreTheSameInAllLanguages(t *testing.T) {
	const token = "EhIKDnNwYWNlcy9kZWZhdWx0EAMqEgoOc3BhY2VzL2RlZmF1bHQQBw"
	server, client := serve(t)
	server.watch = holding(told(home, 4, 4))
	watching := client.Watch(context.Background(), &quipu.WatchOptions{Token: token})
	if watching.Token() != token {
		t.Errorf("the token became %q", watching.Token())
	}
	take(t, watching, 1)
	sent := asked[*quipuv1.WatchMemoriesRequest](server)[0]
	if sent.GetAfterRevisions()[home] != 3 || sent.GetAfterNonces()[home] != 7 {
		t.Errorf("sent %v", sent)
	}
}

func TestWhatIsNoTokenIsRefused(t *testing.T) {
	_, client := serve(t)
	for _, token := range []string{"x", "!!!", "AAAA", "Zm9v"} {
		count := 0
		for _, err := range client.Watch(context.Background(), &quipu.WatchOptions{Token: token}).Changes() {
			if count++; err == nil {
				t.Errorf("%q was taken", token)
			}
		}
		if count != 1 {
			t.Errorf("%q gave %d answers", token, count)
		}
	}
}

func TestAWatchOutlivesManyFailures(t *testing.T) {
	t.Parallel() // it waits
	server, client := serve(t)
	server.watch = func(request *quipuv1.WatchMemoriesRequest, stream watchStream) error {
		if len(asked[*quipuv1.WatchMemoriesRequest](server)) == 1 {
			server.lock.Lock()
			server.failures = slices.Repeat([]error{refusal(codes.Unavailable, "NOT_READY", "starting")}, 6)
			server.lock.Unlock()
		}
		return leaving(request, stream)
	}
	if changes := take(t, client.Watch(context.Background(), nil), 2); changes[1].Revision != 2 {
		t.Errorf("found %v", changes)
	}
}

func TestAWatchThatNeverBeganSaysSo(t *testing.T) {
	t.Parallel() // it waits
	server, client := serve(t)
	server.failures = slices.Repeat([]error{refusal(codes.Unavailable, "NOT_READY", "starting")}, 9)
	for _, err := range client.Watch(context.Background(), nil).Changes() {
		if !errors.Is(err, quipu.ErrUnavailable) {
			t.Errorf("found %v", err)
		}
	}
}

func TestAWatchEndsWithItsErrorOrItsContext(t *testing.T) {
	server, client := serve(t)
	server.watch = func(_ *quipuv1.WatchMemoriesRequest, stream watchStream) error {
		stream.Send(told(home, 1))
		return refusal(codes.NotFound, "SPACE_NOT_FOUND", "gone")
	}
	for _, err := range client.Watch(context.Background(), nil).Changes() {
		if !errors.Is(err, quipu.ErrNotFound) {
			t.Errorf("found %v", err)
		}
	}
	server.watch = leaving
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, err := range client.Watch(ctx, nil).Changes() {
		cancel()
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("found %v", err)
		}
	}
}

func TestLeavingTheChangesCancelsTheWatch(t *testing.T) {
	server, client := serve(t)
	ended := make(chan error, 1)
	server.watch = func(request *quipuv1.WatchMemoriesRequest, stream watchStream) error {
		err := holding(told(home, 1, 1))(request, stream)
		ended <- err
		return err
	}
	take(t, client.Watch(context.Background(), nil), 1)
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the watch goes on")
	}
}
