package main

import (
	"encoding/json"
	"iter"

	"github.com/quipu-memory/quipu/clients/go"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// plain is a message as JSON has it.
func plain[M proto.Message](message M) (any, error) {
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(message)
	if err != nil {
		return nil, err
	}
	var made any
	return made, json.Unmarshal(text, &made)
}

// plainList is a list of messages.
func plainList[M proto.Message](messages []M) (any, error) {
	list := make([]any, 0, len(messages))
	for _, message := range messages {
		made, err := plain(message)
		if err != nil {
			return nil, err
		}
		list = append(list, made)
	}
	return list, nil
}

// plainOr is a message, or the error it came with.
func plainOr[M proto.Message](message M, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return plain(message)
}

// taken reads a sequence to its end, or as many items as the step takes.
func taken[M any](sequence iter.Seq2[M, error], take *int) ([]M, error) {
	if take == nil {
		return quipu.Collect(sequence)
	}
	if *take == 0 {
		return nil, nil
	}
	var items []M
	for item, err := range sequence {
		if err != nil {
			return nil, err
		}
		if items = append(items, item); len(items) == *take {
			break
		}
	}
	return items, nil
}

// listing is the result of a step that lists.
func listing[M proto.Message](sequence iter.Seq2[M, error], take *int) (any, error) {
	items, err := taken(sequence, take)
	if err != nil {
		return nil, err
	}
	return plainList(items)
}
