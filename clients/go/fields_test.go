package quipu_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/quipu-memory/quipu/clients/go"
	"github.com/quipu-memory/quipu/clients/go/quipuv1"
)

type label string

func TestMetadataComesBackAsItWas(t *testing.T) {
	_, client := serve(t)
	moment := time.Date(2024, 5, 8, 15, 56, 0, 1000, time.FixedZone("here", 7200))
	memory, err := client.Add(context.Background(), "x", &quipu.AddOptions{Fields: quipu.Fields{Metadata: map[string]any{
		"text": "Lisbon", "whole": 7, "half": 0.5, "yes": true, "when": moment, "named": label("a"),
		"list": []string{"a", "b"}, "mixed": []any{1, "b"}, "empty": []int{}, "nothing": nil,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	expected := map[string]any{
		"text": "Lisbon", "whole": 7.0, "half": 0.5, "yes": true, "when": moment.UTC(), "named": "a",
		"list": []any{"a", "b"}, "mixed": []any{1.0, "b"}, "empty": []any{},
	}
	if found := quipu.Metadata(memory); !reflect.DeepEqual(found, expected) {
		t.Errorf("found %v", found)
	}
}

func TestNumbersMustBeExact(t *testing.T) {
	for _, exact := range []any{1 << 53, int64(math.MinInt64), uint64(1 << 63), float32(0.1), math.Inf(1)} {
		if _, err := quipu.ToValue(exact); err != nil {
			t.Errorf("%v: %v", exact, err)
		}
	}
	large := []any{1<<53 + 1, int64(math.MaxInt64), uint64(math.MaxUint64)}
	for _, wrong := range append(large, math.NaN(), nil, map[string]any{}) {
		if value, err := quipu.ToValue(wrong); err == nil {
			t.Errorf("%v became %v", wrong, value)
		}
	}
}

func TestAnErrorNamesTheKey(t *testing.T) {
	_, client := serve(t)
	options := &quipu.AddOptions{Fields: quipu.Fields{Metadata: map[string]any{"big": 1<<53 + 1}}}
	_, err := client.Add(context.Background(), "x", options)
	if found := failed(t, err); !errors.Is(err, quipu.ErrInvalidArgument) || found.Fields[0].Field != "metadata.big" {
		t.Errorf("found %+v", found)
	}
}

func TestAnUpdateNamesWhatIsGiven(t *testing.T) {
	moment := time.Unix(1, 0)
	for _, one := range []struct {
		options  quipu.UpdateOptions
		expected []string
	}{
		{quipu.UpdateOptions{}, nil},
		{quipu.UpdateOptions{Content: "x", Clear: []string{"speaker"}}, []string{"content", "speaker"}},
		{
			quipu.UpdateOptions{Fields: quipu.Fields{Tags: []string{}, Importance: quipu.Ptr(0.0)}},
			[]string{"tags", "importance"},
		},
		{quipu.UpdateOptions{Fields: quipu.Fields{Metadata: map[string]any{"b": 1, "a": nil}}}, []string{"metadata"}},
		{
			quipu.UpdateOptions{MergeMetadata: true, Fields: quipu.Fields{Metadata: map[string]any{"b": 1, "a": nil}}},
			[]string{"metadata.a", "metadata.b"},
		},
		{
			quipu.UpdateOptions{Fields: quipu.Fields{
				Kind: quipu.KindSemantic, Role: quipu.RoleUser, Speaker: "Ann", Session: "s", EventTime: moment,
				ExpireTime: moment, Vector: []float32{1},
			}},
			[]string{"kind", "role", "speaker", "session", "event_time", "expire_time", "vector"},
		},
	} {
		server, client := serve(t)
		if _, err := client.Update(context.Background(), "m", &one.options); err != nil {
			t.Fatal(err)
		}
		sent := asked[*quipuv1.UpdateMemoryRequest](server)[0]
		if paths := sent.GetUpdateMask().GetPaths(); !slices.Equal(paths, one.expected) {
			t.Errorf("the mask is %v, expected %v", paths, one.expected)
		}
	}
}

func TestAnUpdateKeepsItsConditions(t *testing.T) {
	server, client := serve(t)
	options := &quipu.UpdateOptions{Content: "x", Etag: "7", AllowMissing: true, Space: "bob"}
	if _, err := client.Update(context.Background(), "m", options); err != nil {
		t.Fatal(err)
	}
	sent := asked[*quipuv1.UpdateMemoryRequest](server)[0]
	memory := sent.GetMemory()
	if memory.GetName() != "spaces/bob/memories/m" || memory.GetEtag() != "7" || !sent.GetAllowMissing() {
		t.Errorf("sent %v", sent)
	}
}
