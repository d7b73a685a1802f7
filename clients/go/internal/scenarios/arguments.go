package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// arguments are those of a step. The first one that cannot be read is remembered, and so is which ones were read.
type arguments struct {
	values map[string]any
	unread map[string]bool
	err    error
}

func newArguments(given any) *arguments {
	values, _ := given.(map[string]any)
	made := &arguments{values: values, unread: map[string]bool{}}
	for name := range values {
		made.unread[name] = true
	}
	return made
}

// problem says what is wrong with the arguments, once all that an operation has were read.
func (a *arguments) problem() error {
	if a.err == nil && len(a.unread) > 0 {
		return fmt.Errorf("there is no argument %q", slices.Sorted(maps.Keys(a.unread))[0])
	}
	return a.err
}

// value gives an argument that is not null.
func (a *arguments) value(name string) (any, bool) {
	delete(a.unread, name)
	value := a.values[name]
	return value, value != nil
}

func (a *arguments) fail(name string, value any, needed string) {
	if a.err == nil {
		a.err = fmt.Errorf("%s: needs %s, not %v", name, needed, value)
	}
}

func (a *arguments) text(name string) string {
	value, isGiven := a.value(name)
	text, isText := value.(string)
	if isGiven && !isText {
		a.fail(name, value, "a text")
	}
	return text
}

// id is a text, or a message that has a name.
func (a *arguments) id(name string) string {
	value, _ := a.value(name)
	if message, isMessage := value.(map[string]any); isMessage {
		text, _ := message["name"].(string)
		return text
	}
	return a.text(name)
}

func (a *arguments) flag(name string) bool {
	value, isGiven := a.value(name)
	flag, isFlag := value.(bool)
	if isGiven && !isFlag {
		a.fail(name, value, "true or false")
	}
	return flag
}

func (a *arguments) number(name string) float64 {
	value, isGiven := a.value(name)
	found, isNumber := number(value)
	if isGiven && !isNumber {
		a.fail(name, value, "a number")
	}
	return found
}

func (a *arguments) numberOrNil(name string) *float64 {
	if _, isGiven := a.value(name); !isGiven {
		return nil
	}
	found := a.number(name)
	return &found
}

func (a *arguments) time(name string) time.Time {
	value, isGiven := a.value(name)
	if !isGiven {
		return time.Time{}
	}
	moment, err := toTime(value)
	if err != nil {
		a.fail(name, value, "a time")
	}
	return moment
}

// seconds is a number of them, or a text such as 90s.
func (a *arguments) seconds(name string, value any) time.Duration {
	if found, isNumber := number(value); isNumber {
		return time.Duration(found * float64(time.Second))
	}
	length, err := time.ParseDuration(fmt.Sprint(value))
	if err != nil {
		a.fail(name, value, "seconds")
	}
	return length
}

func (a *arguments) list(name string) []any {
	value, isGiven := a.value(name)
	list, isList := value.([]any)
	if isGiven && !isList {
		a.fail(name, value, "a list")
	}
	return list
}

func (a *arguments) mapping(name string) map[string]any {
	value, isGiven := a.value(name)
	mapping, isMapping := value.(map[string]any)
	if isGiven && !isMapping {
		a.fail(name, value, "a mapping")
	}
	return mapping
}

// texts is nil only when the argument is not given.
func (a *arguments) texts(name string) []string {
	list := a.list(name)
	if list == nil {
		return nil
	}
	texts := make([]string, 0, len(list))
	for _, item := range list {
		text, isText := item.(string)
		if !isText {
			a.fail(name, item, "texts")
		}
		texts = append(texts, text)
	}
	return texts
}

func (a *arguments) vector(name string) []float32 {
	list := a.list(name)
	if list == nil {
		return nil
	}
	vector := make([]float32, 0, len(list))
	for _, item := range list {
		value, isNumber := number(item)
		if !isNumber {
			a.fail(name, item, "numbers")
		}
		vector = append(vector, float32(value))
	}
	return vector
}

// message reads an argument that is written as JSON of a message.
func (a *arguments) message(name string, made proto.Message) {
	value, _ := a.value(name)
	text, err := json.Marshal(value)
	if err == nil {
		err = protojson.Unmarshal(text, made)
	}
	if err != nil {
		a.fail(name, value, "a message: "+err.Error())
	}
}
